-- A queue with version 4 of the schema: what the program with that version wrote, as pg_dump --inserts dumped it, a year earlier.
CREATE TABLE webhooks_attempts (
    id bigint NOT NULL,
    block bigint NOT NULL,
    name text NOT NULL,
    ended bigint NOT NULL,
    size bigint NOT NULL,
    attempts bytea NOT NULL
);
ALTER TABLE webhooks_attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhooks_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
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
    lease bigint NOT NULL,
    delivered bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    failed_since bigint DEFAULT 0 NOT NULL,
    last_status integer DEFAULT 0 NOT NULL,
    last_error text DEFAULT ''::text NOT NULL
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
CREATE TABLE webhooks_index (
    block bigint NOT NULL,
    entries bytea NOT NULL
)
WITH (toast_tuple_target='8160');
CREATE TABLE webhooks_keys (
    key bytea NOT NULL,
    expires bigint NOT NULL,
    seq bigint NOT NULL,
    duplicates bigint DEFAULT 0 NOT NULL,
    last_duplicate bigint DEFAULT 0 NOT NULL
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
INSERT INTO webhooks_attempts OVERRIDING SYSTEM VALUE VALUES (1, 0, 'orders', 1763790004786265, 124, '\x01060090d08ccb8b8aa20604040068010300220105001800');
INSERT INTO webhooks_attempts OVERRIDING SYSTEM VALUE VALUES (2, 0, 'orders', 1763790004795555, 137, '\x010771bee28dcb8b8aa20604f403000c616e7377657265642035303001076e6f74206e6f77');
INSERT INTO webhooks_attempts OVERRIDING SYSTEM VALUE VALUES (3, 0, 'crm', 1763790004781432, 176, '\x010272a0858ccb8b8aa206039a03000c616e73776572656420343130010d676f6e6520666f7220676f6f6400003c0001711400f403020c616e7377657265642035303003076e6f74206e6f77');
INSERT INTO webhooks_attempts OVERRIDING SYSTEM VALUE VALUES (4, 0, 'orders', 1763790004807469, 154, '\x01097182a28ecb8b8aa20602f403000c616e7377657265642035303001076e6f74206e6f7708714a00f40300010a71887a03f4030001');
INSERT INTO webhooks_attempts OVERRIDING SYSTEM VALUE VALUES (5, 0, 'crm', 1763790004815486, 116, '\x011000b49990cb8b8aa206020f003c06');
INSERT INTO webhooks_deliveries VALUES (8, 'orders', 'retry', 1763790595017191, 1, 0, 1763790004795574, 500, 'answered 500', '\x6e6f74206e6f77', 'key-1', 1763790004788259, 413);
INSERT INTO webhooks_deliveries VALUES (3, 'crm', 'dead', 1763790004781399, 1, 0, 1763790004781413, 410, 'answered 410', '\x676f6e6520666f7220676f6f64', '', 1763790003797220, 419);
INSERT INTO webhooks_deliveries VALUES (2, 'crm', 'retry', 1763790347847668, 1, 0, 1763790004781437, 500, 'answered 500', '\x6e6f74206e6f77', '', 1763790003792430, 428);
INSERT INTO webhooks_deliveries VALUES (14, 'orders', 'parked', 1763790004808211, 0, 0, 1763790004808213, 0, '', NULL, 'key-3', 1763790004807394, 416);
INSERT INTO webhooks_deliveries VALUES (15, 'orders', 'parked', 1763790004810131, 0, 0, 1763790004810134, 0, '', NULL, 'key-0', 1763790004808185, 416);
INSERT INTO webhooks_deliveries VALUES (10, 'orders', 'retry', 1763790325637110, 1, 0, 1763790004799641, 500, 'answered 500', '\x6e6f74206e6f77', 'key-3', 1763790004793257, 413);
INSERT INTO webhooks_deliveries VALUES (9, 'orders', 'retry', 1763790468716425, 1, 0, 1763790004799677, 500, 'answered 500', '\x6e6f74206e6f77', 'key-2', 1763790004789276, 413);
INSERT INTO webhooks_deliveries VALUES (12, 'orders', 'parked', 1763790004805265, 0, 0, 1763790004805269, 0, '', NULL, 'key-1', 1763790004799464, 413);
INSERT INTO webhooks_deliveries VALUES (13, 'orders', 'parked', 1763790004807424, 0, 0, 1763790004807432, 0, '', NULL, 'key-2', 1763790004805229, 416);
INSERT INTO webhooks_deliveries VALUES (11, 'orders', 'retry', 1763790394757095, 1, 0, 1763790004807486, 500, 'answered 500', '\x6e6f74206e6f77', 'key-0', 1763790004795475, 413);
INSERT INTO webhooks_destinations VALUES ('crm', '{"source":"/webhooks/test","types":[["message","*"]]}', 21, 21, '[]', 0, '', 1, 1763790004815486, 1763790004781432, 0, 500, 'answered 500');
INSERT INTO webhooks_destinations VALUES ('archive', '{"source":"/webhooks/test","types":[["message","*"]]}', 0, 0, '[]', 1, '', 1, 0, 0, 0, 0, '');
INSERT INTO webhooks_destinations VALUES ('orders', '{"source":"/webhooks/test","types":[["order","*"]]}', 21, 21, '[]', 0, '', 1, 1763790004786265, 1763790004807469, 1763790004795551, 500, 'answered 500');
INSERT INTO webhooks_events VALUES (1, '\xea4ce8f0a538e8329825a3f91a4b6aee59afb259', '/webhooks/test', 'test', 'message.created', '', 'delivered', 1763790003789518, 4917390003789518, 434, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2264656c697665726564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/delivered', 0);
INSERT INTO webhooks_events VALUES (2, '\x7380f48c00aa7e3f865e6dd2c8c855ce34c58ab4', '/webhooks/test', 'test', 'message.created', '', 'retried', 1763790003801723, 4917390003801723, 428, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2272657472696564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/retried', 0);
INSERT INTO webhooks_events VALUES (3, '\xeee3fcdc65c9f07939287bed3ab2a67d652ac565', '/webhooks/test', 'test', 'message.created', '', 'gone', 1763790003797620, 4917390003797620, 419, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a22676f6e65222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/gone', 0);
INSERT INTO webhooks_events VALUES (4, '\xceff762d24bb314eaf3480674276f09f2f4e08bc', '/webhooks/test', 'test', 'order.created', 'key-1', '1', 1763790003801649, 4917390003801649, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2231222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/1', 0);
INSERT INTO webhooks_events VALUES (5, '\x03766b1a58c6214ceeba3b49d9867e454d1b2d87', '/webhooks/test', 'test', 'order.created', 'key-2', '2', 1763790003804004, 4917390003804004, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2232222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/2', 0);
INSERT INTO webhooks_events VALUES (6, '\x15458c236379e266a0860d326a8145e01e44a5e1', '/webhooks/test', 'test', 'order.created', 'key-3', '3', 1763790003809752, 4917390003809752, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2233222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/3', 0);
INSERT INTO webhooks_events VALUES (7, '\xc40b4aa7f59fa0fd616698863fbb71789dba6203', '/webhooks/test', 'test', 'order.created', 'key-0', '4', 1763790003812552, 4917390003812552, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2234222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/4', 0);
INSERT INTO webhooks_events VALUES (8, '\xcbb575758d6a7552a16aac2ffa19291f23d860cd', '/webhooks/test', 'test', 'order.created', 'key-1', '5', 1763790004788259, 4917390004788259, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2235222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/5', 0);
INSERT INTO webhooks_events VALUES (9, '\x6a6e1775c9f98323acf148dd16254bfa740ae4e3', '/webhooks/test', 'test', 'order.created', 'key-2', '6', 1763790004789276, 4917390004789276, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2236222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/6', 0);
INSERT INTO webhooks_events VALUES (10, '\x3f32214f4bfdf879e55c1f3be1c35f81b4622c17', '/webhooks/test', 'test', 'order.created', 'key-3', '7', 1763790004793257, 4917390004793257, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2237222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/7', 0);
INSERT INTO webhooks_events VALUES (11, '\x1f40bc53d24d0128d02ff88820bdb7a2cd1fb631', '/webhooks/test', 'test', 'order.created', 'key-0', '8', 1763790004795475, 4917390004795475, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2238222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/8', 0);
INSERT INTO webhooks_events VALUES (12, '\xb71abaa85faf0abbac4610e37dcdd2d59cca9fe6', '/webhooks/test', 'test', 'order.created', 'key-1', '9', 1763790004799464, 4917390004799464, 413, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a2239222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/9', 0);
INSERT INTO webhooks_events VALUES (13, '\x706741f6f08cea8eb7c5712a985f6c61f0a1585f', '/webhooks/test', 'test', 'order.created', 'key-2', '10', 1763790004805229, 4917390004805229, 416, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a223130222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/10', 0);
INSERT INTO webhooks_events VALUES (14, '\xe508eb6a6311e315169c4efcdc9e2a7ad0921cc8', '/webhooks/test', 'test', 'order.created', 'key-3', '11', 1763790004807394, 4917390004807394, 416, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a223131222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/11', 0);
INSERT INTO webhooks_events VALUES (15, '\x4c3b49009e534abcee576a9a411beb7c710d0018', '/webhooks/test', 'test', 'order.created', 'key-0', '12', 1763790004808185, 4917390004808185, 416, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d', '\x7b226964223a223132222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/12', 0);
INSERT INTO webhooks_events VALUES (16, '\x28466b3f27c223ae999f99c0c2f09dcdbd5247db', '/webhooks/test', 'test', 'message.created', '', 'batch-1', 1763790004810103, 4917390004810103, 354, 7, NULL, '\x7b226964223a2262617463682d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/batch-1', 16);
INSERT INTO webhooks_events VALUES (17, '\xf73da9a22108b42c782081c0a8205f832f9bae2f', '/webhooks/test', 'test', 'message.created', '', 'batch-2', 1763790004810106, 4917390004810106, 354, 7, NULL, '\x7b226964223a2262617463682d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/batch-2', 16);
INSERT INTO webhooks_keys VALUES ('\x7380f48c00aa7e3f865e6dd2c8c855ce34c58ab4', 4917390003801723, 2, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xeee3fcdc65c9f07939287bed3ab2a67d652ac565', 4917390003797620, 3, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xceff762d24bb314eaf3480674276f09f2f4e08bc', 4917390003801649, 4, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x03766b1a58c6214ceeba3b49d9867e454d1b2d87', 4917390003804004, 5, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x15458c236379e266a0860d326a8145e01e44a5e1', 4917390003809752, 6, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xc40b4aa7f59fa0fd616698863fbb71789dba6203', 4917390003812552, 7, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x6a6e1775c9f98323acf148dd16254bfa740ae4e3', 4917390004789276, 9, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x3f32214f4bfdf879e55c1f3be1c35f81b4622c17', 4917390004793257, 10, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x1f40bc53d24d0128d02ff88820bdb7a2cd1fb631', 4917390004795475, 11, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xb71abaa85faf0abbac4610e37dcdd2d59cca9fe6', 4917390004799464, 12, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x706741f6f08cea8eb7c5712a985f6c61f0a1585f', 4917390004805229, 13, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xe508eb6a6311e315169c4efcdc9e2a7ad0921cc8', 4917390004807394, 14, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x4c3b49009e534abcee576a9a411beb7c710d0018', 4917390004808185, 15, 0, 0);
INSERT INTO webhooks_keys VALUES ('\x28466b3f27c223ae999f99c0c2f09dcdbd5247db', 4917390004810103, 16, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xf73da9a22108b42c782081c0a8205f832f9bae2f', 4917390004810106, 17, 0, 0);
INSERT INTO webhooks_keys VALUES ('\xea4ce8f0a538e8329825a3f91a4b6aee59afb259', 4917390003789518, 1, 3, 1763790004816688);
INSERT INTO webhooks_keys VALUES ('\xcbb575758d6a7552a16aac2ffa19291f23d860cd', 4917390004788259, 8, 1, 1763790004817423);
INSERT INTO webhooks_migrations VALUES (1);
INSERT INTO webhooks_migrations VALUES (2);
INSERT INTO webhooks_migrations VALUES (3);
INSERT INTO webhooks_migrations VALUES (4);
INSERT INTO webhooks_probe VALUES (1, 1763790004746529, '\x');
INSERT INTO webhooks_queue VALUES (1, 21, 7284);
INSERT INTO webhooks_requests VALUES (16, 17, 330, '\x7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d');
SELECT pg_catalog.setval('webhooks_attempts_id_seq', 5, true);
ALTER TABLE ONLY webhooks_attempts
    ADD CONSTRAINT webhooks_attempts_pkey PRIMARY KEY (id);
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
ALTER TABLE ONLY webhooks_index
    ADD CONSTRAINT webhooks_index_pkey PRIMARY KEY (block);
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
CREATE INDEX webhooks_attempts_block ON webhooks_attempts USING btree (block, size);
CREATE INDEX webhooks_deliveries_due ON webhooks_deliveries USING btree (name, state, due);
CREATE INDEX webhooks_deliveries_key ON webhooks_deliveries USING btree (name, partition_key, seq);
CREATE INDEX webhooks_deliveries_state ON webhooks_deliveries USING btree (state, seq);
ALTER TABLE ONLY webhooks_deliveries
    ADD CONSTRAINT webhooks_deliveries_name_fkey FOREIGN KEY (name) REFERENCES webhooks_destinations(name);
ALTER TABLE ONLY webhooks_deliveries
    ADD CONSTRAINT webhooks_deliveries_seq_fkey FOREIGN KEY (seq) REFERENCES webhooks_events(seq);
