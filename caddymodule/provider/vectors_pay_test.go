package provider_test

import "maps"

// What several vectors share.
const (
	twilioURL  = "https://mycompany.com/myapp.php?foo=1&bar=2"
	twilioForm = "application/x-www-form-urlencoded"
	adyenKey   = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
)

func init() {
	maps.Copy(vectors, map[string][]vector{
		"twilio": {
			{
				from:   "twilio/twilio-go client/request_validator_test.go",
				secret: "12345",
				url:    twilioURL,
				body:   "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
				header: map[string]string{"Content-Type": twilioForm, "X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
			},
			{ // a value that is repeated counts once
				from:   "twilio/twilio-node spec/validation.spec.js",
				secret: "12345",
				url:    twilioURL,
				body:   "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
				header: map[string]string{"Content-Type": twilioForm, "X-Twilio-Signature": "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
			},
			{ // JSON
				from:   "twilio/twilio-node spec/validation.spec.js",
				secret: "12345",
				url:    twilioURL + "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
				body:   `{"property": "value", "boolean": true}`,
				header: map[string]string{"X-Twilio-Signature": "a9nBmqA0ju/hNViExpshrM61xv4="},
			},
		},
		"vonage": {
			{ // a token without a body
				from:   "Vonage/vonage-python-sdk jwt/tests/test_verify_jwt.py",
				secret: "qwertyuiopasdfghjklzxcvbnm123456",
				at:     1697634680,
				header: map[string]string{
					"Authorization": "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJPbmxpbmUgSldUIEJ1aWxkZXIiLCJpYXQiOjE2OTc2MzQ2ODAsImV4cCI6MzMyNTQ1NDA4MjgsImF1ZCI6IiIsInN1YiI6IiJ9.88vJc3I2HhuqEDixHXVhc9R30tA6U_HQHZTC29y6CGM",
				},
			},
		},
		"messagebird": {
			{
				from:   "messagebird/go-rest-api signature_jwt/testdata/reference.json",
				secret: "36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb",
				url:    "https://example.com/path?bar=1&foo=2",
				at:     1625479200,
				body:   "Hello, World!",
				header: map[string]string{
					"MessageBird-Signature-JWT": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwiZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI5M2U1NTAwNi1hMGU4LTQ1MjYtYTE5MC1mYTVmZjAwZWExMTYiLCJ1cmxfaGFzaCI6IjQxZjA1ZjBkZGQwYTIyYWIyMDlhYzQ2ZjQ3YzQ1NzJkOWNlZmEyNTdlZDc0YjI0MDA0YmFlNzUzZWNlNmMyNjAiLCJwYXlsb2FkX2hhc2giOiJkZmZkNjAyMWJiMmJkNWIwYWY2NzYyOTA4MDllYzNhNTMxOTFkZDgxYzdmNzBhNGIyODY4OGEzNjIxODI5ODZmIn0._H--TOuYFLpeEH39-rg5E3IHVkjHozBcaKVWPRC5m9I",
				},
			},
		},
		"stripe": {
			{
				from:   "stripe/stripe-dotnet src/StripeTests/Services/Events/EventUtilityTest.cs",
				secret: "webhook_secret",
				at:     1533204620,
				body: `{
  "id": "evt_123",
  "object": "event",
  "account": "acct_123",
  "api_version": "2017-05-25",
  "created": 1533204620,
  "data": {
    "object": {
      "id": "cus_123",
      "object": "customer",
      "created": 123456789,
      "email": "test@stripe.com",
      "livemode": false,
      "metadata": {}
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_123",
    "idempotency_key": "idempotency-key-123"
  },
  "type": "customer.created"
}
`,
				header: map[string]string{
					"Stripe-Signature": "t=1533204620,v1=2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7,v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef",
				},
			},
		},
		"paddle": {
			{
				from:   "PaddleHQ/paddle-go-sdk example_webhook_unmarshal_test.go",
				secret: "pdl_ntfset_01hsdn8d43dt7mezr1ef2jtbaw_hKkRiCGyyRhbFwIUuqiTBgI7gnWoV0Gr",
				at:     1710929255,
				body:   `{"data":{"id":"pri_01hsdn96k2hxjzsq5yerecdj9j","name":null,"status":"active","quantity":{"maximum":999999,"minimum":1},"tax_mode":"account_setting","product_id":"pro_01hsdn8qp7yydry3x1yeg6a9rv","unit_price":{"amount":"1000","currency_code":"USD"},"custom_data":null,"description":"testing","import_meta":null,"trial_period":null,"billing_cycle":{"interval":"month","frequency":1},"unit_price_overrides":[]},"event_id":"evt_01hsdn97563968dy0szkmgjwh3","event_type":"price.created","occurred_at":"2024-03-20T10:07:35.590857Z","notification_id":"ntf_01hsdn977e920kbgzt6r6c9rqc"}`,
				header: map[string]string{"Paddle-Signature": "ts=1710929255;h1=6c05ef8fa83c44d751be6d259ec955ce5638e2c54095bf128e408e2fce1589c8"},
			},
			{ // two secrets, and a newer scheme
				from:   "PaddleHQ/paddle-node-sdk src/__tests__/notifications/webhooks-validator.node.test.ts",
				secret: "VALID_SECRET",
				at:     1698796800,
				body:   `{"data": "value"}`,
				header: map[string]string{
					"Paddle-Signature": "ts=1698796800;h1=28981e941fae76e53db32f3d2a83cb69db41476595e84e1970a1b5d98f62b261;h1=28981e941fae76e53db32f3d2a83cb69db41476595e84e1970a1b5d98f62b261;h2=RANDOM_HASH",
				},
			},
		},
		"shopify": {
			{
				from:   "bold-commerce/go-shopify oauth_test.go",
				secret: "hush",
				body:   `"my secret message"`,
				header: map[string]string{"X-Shopify-Hmac-Sha256": "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI="},
			},
			{ // as newer senders name the header
				from:   "bold-commerce/go-shopify oauth_test.go",
				secret: "hush",
				body:   `"my secret message"`,
				header: map[string]string{"Shopify-Hmac-Sha256": "hMTq0K2x7oyOjoBwGYeTj5oxfnaVYXzbanUG9aajpKI="},
			},
		},
		"square": {
			{
				from:   "square/square-python-sdk tests/integration/test_webhooks_helper.py",
				secret: "Ibxx_5AKakO-3qeNVR61Dw",
				url:    "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
				body:   `{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}`,
				header: map[string]string{"x-square-hmacsha256-signature": "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4="},
			},
			{
				from:   "square/square-python-sdk tests/integration/test_webhooks_helper.py",
				secret: "signature-key",
				url:    "https://webhook.site/webhooks",
				body:   `{"data":{"type":"webhooks","id":">id<"}}`,
				header: map[string]string{"x-square-hmacsha256-signature": "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U="},
			},
		},
		"adyen": {
			{
				from:   "Adyen/adyen-node-api-library src/__tests__/hmacValidator.spec.ts",
				secret: "DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00",
				body:   `{"notificationItems":[{"NotificationRequestItem":{"pspReference":"pspReference","originalReference":"originalReference","merchantAccountCode":"merchantAccount","merchantReference":"reference","amount":{"currency":"EUR","value":1000},"eventCode":"CAPTURE","success":"true","additionalData":{"hmacSignature":"xhpHvYq2u2Np0rstbZ6QjLGu7JWhvf7Iwaa6EviJSX0="}}}]}`,
			},
			{ // without an original reference
				from:   "Adyen/adyen-python-api-library test/UtilTest.py",
				secret: adyenKey,
				body:   `{"notificationItems":[{"NotificationRequestItem":{"pspReference":"7914073381342284","merchantReference":"TestPayment-1407325143704","merchantAccountCode":"TestMerchant","amount":{"currency":"EUR","value":1130},"eventCode":"AUTHORISATION","success":"true","additionalData":{"hmacSignature":"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}}}]}`,
			},
		},
		"adyen-platform": {
			{
				from:   "Adyen/adyen-python-api-library test/UtilTest.py",
				secret: adyenKey,
				body: `
        {
            "type": "merchant.created",
            "environment": "test",
            "createdAt": "01-01-2024",
            "data": {
                "capabilities": {
                    "sendToTransferInstrument": {
                        "requested": true,
                        "requestedLevel": "notApplicable"
                    }
                },
                "companyId": "YOUR_COMPANY_ID",
                "merchantId": "YOUR_MERCHANT_ACCOUNT",
                "status": "PreActive"
            }
        }
        `,
				header: map[string]string{"HmacSignature": "fX74xUdztFmaXAn3IusMFFUBUSkLmDQUK0tm8xL6ZTU="},
			},
		},
		"razorpay": {
			{
				from:   "razorpay/razorpay-python tests/test_client_utility.py",
				secret: "key_secret",
				body: `{
  "event": "payment.authorized",
  "entity": "event",
  "contains": [
    "payment"
  ],
  "payload": {
    "payment": {
      "entity": {
        "id": "pay_6koWN7bvxujzxM",
        "entity": "payment",
        "amount": 1000000,
        "currency": "INR",
        "status": "captured",
        "order_id": "order_100000000order",
        "international": false,
        "method": "card",
        "amount_refunded": 0,
        "refund_status": null,
        "captured": true,
        "description": "random description",
        "card_id": "card_6koWNAT6LASUqy",
        "bank": null,
        "wallet": null,
        "vpa": null,
        "email": "a@b.com",
        "contact": "+919999999999",
        "notes": {
          "merchant_order_id": "random order id"
        },
        "fee": 23000,
        "service_tax": 3000,
        "error_code": null,
        "error_description": null,
        "created_at": 1479978483
      }
    }
  },
  "created_at": 1400826760
}
`,
				header: map[string]string{"X-Razorpay-Signature": "d60e67fd884556c045e9be7dad57903e33efc7172c17c6e3ef77db42d2b366e9"},
			},
		},
		"coinbase": {
			{
				from:   "coinbase/coinbase-commerce-node test/testWebhook.spec.js",
				secret: "30291a20-0bd1-4267-9b0f-e6e7b123c0bf",
				body:   `{"id":1,"scheduled_for":"2017-01-31T20:50:02Z","attempt_number":1,"event":{"id":"24934862-d980-46cb-9402-43c81b0cdba6","type":"charge:created","api_version":"2018-03-22","created_at":"2017-01-31T20:49:02Z","data":{"code":"66BEOV2A","name":"The Sovereign Individual","description":"Mastering the Transition to the Information Age","hosted_url":"https://commerce.coinbase.com/charges/66BEOV2A","created_at":"2017-01-31T20:49:02Z","expires_at":"2017-01-31T21:04:02Z","timeline":[{"time":"2017-01-31T20:49:02Z","status":"NEW"}],"metadata":{},"pricing_type":"no_price","payments":[],"addresses":{"bitcoin":"0000000000000000000000000000000000","ethereum":"0x0000000000000000000000000000000000000000","litecoin":"3000000000000000000000000000000000","bitcoincash":"bitcoincash:000000000000000000000000000000000000000000"}}}}`,
				header: map[string]string{"X-CC-Webhook-Signature": "8be7742c7d372f08a6a3224edadf18a22b65fa9e28f3f2de97376cdaa092590d"},
			},
		},
		"mux": {
			{
				from:   "muxinc/mux-node-sdk, tests of older versions",
				secret: "SuperSecret123",
				at:     1565125718,
				body:   `{"test":"body"}`,
				header: map[string]string{"Mux-Signature": "t=1565125718,v1=854ece4c22acef7c66b57d4e504153bc512595e8e9c772ece2a68150548c19a7"},
			},
		},
	})
}
