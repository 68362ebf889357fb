-- A queue with version 3 of the schema: what the program with that version wrote, as pg_dump --inserts dumped it, a year earlier.
CREATE TABLE webhooks_deliveries (
    seq bigint NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    due bigint NOT NULL,
    attempts integer NOT NULL,
    replay smallint NOT NULL,
    tried bigint NOT NULL,
    status integer NOT NULL,
    error text NOT NULL,
    excerpt bytea,
    partition_key text NOT NULL,
    received bigint NOT NULL,
    size bigint NOT NULL
);
CREATE TABLE webhooks_destinations (
    name text NOT NULL,
    filter text NOT NULL,
    "position" bigint NOT NULL,
    begun bigint NOT NULL,
    gaps text NOT NULL,
    paused smallint NOT NULL,
    holder text NOT NULL,
    lease bigint NOT NULL
);
CREATE TABLE webhooks_events (
    seq bigint NOT NULL,
    key bytea NOT NULL,
    source text NOT NULL,
    provider text NOT NULL,
    type text NOT NULL,
    partition_key text NOT NULL,
    event_id text NOT NULL,
    received bigint NOT NULL,
    expires bigint NOT NULL,
    size bigint NOT NULL,
    original bigint NOT NULL,
    request bytea,
    body bytea NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    shared bigint DEFAULT 0 NOT NULL
);
CREATE TABLE webhooks_expired_keys (
    expires bigint NOT NULL,
    key bytea NOT NULL
);
CREATE TABLE webhooks_gateways (
    holder text NOT NULL,
    until bigint NOT NULL,
    names text NOT NULL
);
CREATE TABLE webhooks_keys (
    key bytea NOT NULL,
    expires bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE TABLE webhooks_migrations (
    version integer NOT NULL
);
CREATE TABLE webhooks_probe (
    id integer NOT NULL,
    seen bigint NOT NULL,
    filler bytea NOT NULL,
    CONSTRAINT webhooks_probe_id_check CHECK ((id = 1))
);
CREATE TABLE webhooks_queue (
    id integer NOT NULL,
    last bigint NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT webhooks_queue_id_check CHECK ((id = 1))
);
CREATE TABLE webhooks_requests (
    first bigint NOT NULL,
    last bigint NOT NULL,
    size bigint NOT NULL,
    request bytea NOT NULL
);
INSERT INTO webhooks_deliveries VALUES (2, 'crm', 'retry', 1763760744449698, 1, 0, 1763760727429028, 500, 'answered 500', '\x6e6f74206e6f77', '', 1763760727420918, 428);
INSERT INTO webhooks_deliveries VALUES (3, 'crm', 'dead', 1763760727431471, 1, 0, 1763760727431482, 410, 'answered 410', '\x676f6e6520666f7220676f6f64', '', 1763760727424750, 419);
INSERT INTO webhooks_deliveries VALUES (4, 'orders', 'retry', 1763760739923213, 1, 0, 1763760727431505, 500, 'answered 500', '\x6e6f74206e6f77', 'key', 1763760727426468, 429);
INSERT INTO webhooks_deliveries VALUES (5, 'orders', 'parked', 1763760727431507, 0, 0, 1763760727431507, 0, '', NULL, 'key', 1763760727428809, 429);
INSERT INTO webhooks_destinations VALUES ('archive', '{"source":"/webhooks/test","types":[["message","*"]]}', 0, 0, '[]', 1, '', 1);
INSERT INTO webhooks_destinations VALUES ('crm', '{"source":"/webhooks/test","types":[["message","*"]]}', 10, 10, '[]', 0, '', 1);
INSERT INTO webhooks_destinations VALUES ('orders', '{"source":"/webhooks/test","types":[["order","*"]]}', 10, 10, '[]', 0, '', 1);
INSERT INTO webhooks_events VALUES (1, '\xea4ce8f0a538e8329825a3f91a4b6aee59afb259', '/webhooks/test', 'test', 'message.created', '', 'delivered', 1763760727415893, 4917360727415893, 434, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2264656c697665726564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/delivered', 0);
INSERT INTO webhooks_events VALUES (2, '\x7380f48c00aa7e3f865e6dd2c8c855ce34c58ab4', '/webhooks/test', 'test', 'message.created', '', 'retried', 1763760727420896, 4917360727420896, 428, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2272657472696564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/retried', 0);
INSERT INTO webhooks_events VALUES (3, '\xeee3fcdc65c9f07939287bed3ab2a67d652ac565', '/webhooks/test', 'test', 'message.created', '', 'gone', 1763760727424727, 4917360727424727, 419, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a22676f6e65222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/gone', 0);
INSERT INTO webhooks_events VALUES (4, '\x4ed0db9db60593c8142ba1ca144856c4dbd9b893', '/webhooks/test', 'test', 'order.created', 'key', 'order-1', 1763760727426446, 4917360727426446, 429, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a226f726465722d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/order-1', 0);
INSERT INTO webhooks_events VALUES (5, '\xcaa6bb6d4528a3720bb56cdd1b47f1638a7d6763', '/webhooks/test', 'test', 'order.created', 'key', 'order-2', 1763760727428787, 4917360727428787, 429, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a226f726465722d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/order-2', 0);
INSERT INTO webhooks_events VALUES (6, '\x28466b3f27c223ae999f99c0c2f09dcdbd5247db', '/webhooks/test', 'test', 'message.created', '', 'batch-1', 1763760727431379, 4917360727431379, 354, 7, NULL, '\x7b226964223a2262617463682d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/batch-1', 6);
INSERT INTO webhooks_events VALUES (7, '\xf73da9a22108b42c782081c0a8205f832f9bae2f', '/webhooks/test', 'test', 'message.created', '', 'batch-2', 1763760727431382, 4917360727431382, 354, 7, NULL, '\x7b226964223a2262617463682d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/batch-2', 6);
INSERT INTO webhooks_keys VALUES ('\xea4ce8f0a538e8329825a3f91a4b6aee59afb259', 4917360727415893, 1);
INSERT INTO webhooks_keys VALUES ('\x7380f48c00aa7e3f865e6dd2c8c855ce34c58ab4', 4917360727420896, 2);
INSERT INTO webhooks_keys VALUES ('\xeee3fcdc65c9f07939287bed3ab2a67d652ac565', 4917360727424727, 3);
INSERT INTO webhooks_keys VALUES ('\x4ed0db9db60593c8142ba1ca144856c4dbd9b893', 4917360727426446, 4);
INSERT INTO webhooks_keys VALUES ('\xcaa6bb6d4528a3720bb56cdd1b47f1638a7d6763', 4917360727428787, 5);
INSERT INTO webhooks_keys VALUES ('\x28466b3f27c223ae999f99c0c2f09dcdbd5247db', 4917360727431379, 6);
INSERT INTO webhooks_keys VALUES ('\xf73da9a22108b42c782081c0a8205f832f9bae2f', 4917360727431382, 7);
INSERT INTO webhooks_migrations VALUES (1);
INSERT INTO webhooks_migrations VALUES (2);
INSERT INTO webhooks_migrations VALUES (3);
INSERT INTO webhooks_probe VALUES (1, 1763760728383442, '\x');
INSERT INTO webhooks_queue VALUES (1, 10, 3177);
INSERT INTO webhooks_requests VALUES (6, 7, 330, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d');
ALTER TABLE ONLY webhooks_deliveries
    ADD CONSTRAINT webhooks_deliveries_pkey PRIMARY KEY (seq, name);
ALTER TABLE ONLY webhooks_destinations
    ADD CONSTRAINT webhooks_destinations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY webhooks_events
    ADD CONSTRAINT webhooks_events_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY webhooks_expired_keys
    ADD CONSTRAINT webhooks_expired_keys_pkey PRIMARY KEY (expires, key);
ALTER TABLE ONLY webhooks_gateways
    ADD CONSTRAINT webhooks_gateways_pkey PRIMARY KEY (holder);
ALTER TABLE ONLY webhooks_keys
    ADD CONSTRAINT webhooks_keys_pkey PRIMARY KEY (key);
ALTER TABLE ONLY webhooks_migrations
    ADD CONSTRAINT webhooks_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY webhooks_probe
    ADD CONSTRAINT webhooks_probe_pkey PRIMARY KEY (id);
ALTER TABLE ONLY webhooks_queue
    ADD CONSTRAINT webhooks_queue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY webhooks_requests
    ADD CONSTRAINT webhooks_requests_pkey PRIMARY KEY (first);
CREATE INDEX webhooks_deliveries_due ON webhooks_deliveries USING btree (name, state, due);
CREATE INDEX webhooks_deliveries_key ON webhooks_deliveries USING btree (name, partition_key, seq);
ALTER TABLE ONLY webhooks_deliveries
    ADD CONSTRAINT webhooks_deliveries_name_fkey FOREIGN KEY (name) REFERENCES webhooks_destinations(name);
ALTER TABLE ONLY webhooks_deliveries
    ADD CONSTRAINT webhooks_deliveries_seq_fkey FOREIGN KEY (seq) REFERENCES webhooks_events(seq);
