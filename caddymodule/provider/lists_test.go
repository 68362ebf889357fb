package provider_test

import "testing"

// TestLists fills arrays: of the elements of an array, or of one item that is
// anything else.
func TestLists(t *testing.T) {
	const files = "list files f {\nfield url url\nfield name name title\nfield by.id owner.id\nfield size size as value\nfield kind type as lower {\npic image\n}\nrequire url\n}\n"
	runRules(t, []rulesTest{
		{files, `{"f":[{"url":"u"},{"url":"v","title":"T","owner":{"id":7},"size":1.50,"type":"PIC"}]}`, `{"files":[{"url":"u"},{"url":"v","name":"T","by":{"id":"7"},"size":1.50,"kind":"image"}]}`},
		{files, `{"f":[{"name":"no url"},{"url":"u"},{"url":""},{"url":null},{},null,1,"x",[],{"url":"v"}]}`, `{"files":[{"url":"u"},{"url":"v"}]}`},
		{files, `{"f":[{"name":"a"},{"name":"b"}]}`, `{}`},
		{files, `{"f":{"url":"u","name":"one"}}`, `{"files":[{"url":"u","name":"one"}]}`},
		{files, `{"f":[]}`, `{}`},
		{files, `{"f":{}}`, `{}`},
		{files, `{"f":null}`, `{}`},
		{files, `{"f":""}`, `{}`},
		{files, `{"f":"text"}`, `{}`},
		{files, `{}`, `{}`},
		{files, `{"f":[[{"url":"u"}]]}`, `{}`},
		{files, `{"f":[{"url":"u"},{"url":"u"}]}`, `{"files":[{"url":"u"},{"url":"u"}]}`},
		{files, `{"f":[{"name":"of the first","url":"u"},{"url":"v"}]}`, `{"files":[{"url":"u","name":"of the first"},{"url":"v"}]}`},

		// The item itself.
		{"list a b {\nfield c .\n}", `{"b":["x","",null,1,true,{},"y"]}`, `{"a":[{"c":"x"},{"c":"1"},{"c":"y"}]}`},
		{"list a b {\nfield c .\n}", `{"b":"x"}`, `{"a":[{"c":"x"}]}`},
		{"list a b {\nfield c .\n}", `{"b":0}`, `{"a":[{"c":"0"}]}`},
		{"list a b {\nfield c . as value\n}", `{"b":[[1],{"d": 2},false,null,[]]}`, `{"a":[{"c":[1]},{"c":{"d": 2}},{"c":false}]}`},
		{"list a b {\nfield c . as unix\n}", `{"b":[1,"x"]}`, `{"a":[{"c":"1970-01-01T00:00:01Z"}]}`},
		{"list a b {\nfield c 0\nfield d 1\n}", `{"b":[["x","y"],["z"]]}`, `{"a":[{"c":"x","d":"y"},{"c":"z"}]}`},

		// A constant makes an item of whatever is there.
		{"list a b {\nfield c always x\n}", `{"b":[1,null,{}]}`, `{"a":[{"c":"x"},{"c":"x"},{"c":"x"}]}`},
		{"list a b {\nfield c always x\n}", `{"b":null}`, `{}`},
		{"list a b {\nfield c always x\nfield d .\nrequire d\n}", `{"b":["y",""]}`, `{"a":[{"c":"x","d":"y"}]}`},

		// Several fields of one name, and several required ones.
		{"list a b {\nfield c c\nfield c always x\n}", `{"b":[{"c":"y"},{}]}`, `{"a":[{"c":"y"},{"c":"x"}]}`},
		{"list a b {\nfield c c\nfield c d\nfield e e\nrequire c\n}", `{"b":[{"d":"y"},{"e":"z"}]}`, `{"a":[{"c":"y"}]}`},
		{"list a b {\nfield c c\nfield d d\nfield e e\nrequire c d\n}", `{"b":[{"c":1,"d":2},{"c":1,"e":3},{"d":2}]}`, `{"a":[{"c":"1","d":"2"}]}`},

		// Several lists for one array.
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{"d":["2"],"b":["1"]}`, `{"a":[{"c":"1"},{"e":"2"}]}`},
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{"d":["2"]}`, `{"a":[{"e":"2"}]}`},
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{"b":"1"}`, `{"a":[{"c":"1"}]}`},
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{}`, `{}`},
		{"list a b {\nfield c .\n}\nmembers a b {\nfield d .key\n}", `{"b":{"x":1}}`, `{"a":[{"d":"x"}]}`},

		// By a path that is not a name, and within an object.
		{`list a.b c.#(d=="e").f {` + "\nfield g .\n}", `{"c":[{"d":"e","f":["x"]}]}`, `{"a":{"b":[{"g":"x"}]}}`},
		{"list a b.#.c {\nfield d .\n}", `{"b":[{"c":"x"},{},{"c":"y"}]}`, `{"a":[{"d":"x"},{"d":"y"}]}`},
	})
}

// TestMembers makes an item of each member of an object.
func TestMembers(t *testing.T) {
	const variables = "members vs v {\nfield name .key\nfield value . as value\n}\n"
	runRules(t, []rulesTest{
		{variables, `{"v":{"a":1,"b c":"x","¿·n·?":{"d":[]}}}`, `{"vs":[{"name":"a","value":1},{"name":"b c","value":"x"},{"name":"¿·n·?","value":{"d":[]}}]}`},
		{variables, `{"v":{"\u0061\"":"x"}}`, `{"vs":[{"name":"\u0061\"","value":"x"}]}`},
		{variables, `{"v":{"a":null,"b":"","c":{},"d":[],"":"e","":""}}`, `{"vs":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"value":"e"}]}`},
		{variables, `{"v":{}}`, `{}`},
		{variables, `{"v":[{"a":1}]}`, `{}`},
		{variables, `{"v":"a"}`, `{}`},
		{variables, `{"v":1}`, `{}`},
		{variables, `{"v":null}`, `{}`},
		{variables, `{}`, `{}`},
		{variables + "members vs w {\nfield name .key\nfield value . as value\n}", `{"w":{"b":2},"v":{"a":1}}`, `{"vs":[{"name":"a","value":1},{"name":"b","value":2}]}`},

		{"members vs v {\nfield name .key as lower\nfield value x.y\nrequire name value\n}", `{"v":{"A":{"x":{"y":1}},"B":{"x":1},"":{"x":{"y":2}}}}`, `{"vs":[{"name":"a","value":"1"}]}`},
		{"members vs v {\nfield name .key {\na one\n}\nrequire name\n}", `{"v":{"a":1,"b":2}}`, `{"vs":[{"name":"one"}]}`},
		{"members vs v {\nfield id id .key\n}", `{"v":{"a":{"id":7},"b":{}}}`, `{"vs":[{"id":"7"},{"id":"b"}]}`},
	})
}
