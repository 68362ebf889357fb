-- A queue with version 2 of the schema: what the program with that version wrote, as pg_dump --inserts dumped it.
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
CREATE TABLE webhooks_exceptions (
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
CREATE TABLE webhooks_leftovers (
    expires bigint NOT NULL,
    key bytea NOT NULL
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
INSERT INTO webhooks_destinations VALUES ('crm', '{"source":"/webhooks/test","types":[["old","*"],["message","*"]]}', 8, 8, '[]', 0, '', 4);
INSERT INTO webhooks_destinations VALUES ('archive', '{"source":"/webhooks/test","types":[["old","*"]]}', 0, 0, '[]', 1, '', 4);
INSERT INTO webhooks_destinations VALUES ('orders', '{"source":"/webhooks/test","types":[["order","*"]]}', 10, 10, '[]', 0, '', 2);
INSERT INTO webhooks_events VALUES (1, '\x632f398e73db12690e617a8e96c1945230731595', '/webhooks/test', 'test', 'old.created', '', 'old-1', 848599969690260, 4002199969690260, 492, 7, '\x7b227375626a656374223a22636f6e766572736174696f6e732f31222c226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b226f6c64225d7d7d', '\x7b226964223a226f6c642d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', '', 0);
INSERT INTO webhooks_events VALUES (2, '\x0fc51a3bc3f9fe7a1673e51e53e3eabdb7044715', '/webhooks/test', 'test', 'old.created', '', 'old-2', 848599969692562, 4002199969692562, 492, 7, '\x7b227375626a656374223a22636f6e766572736174696f6e732f31222c226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b226f6c64225d7d7d', '\x7b226964223a226f6c642d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', '', 0);
INSERT INTO webhooks_events VALUES (4, '\xea4ce8f0a538e8329825a3f91a4b6aee59afb259', '/webhooks/test', 'test', 'message.created', '', 'delivered', 1164132769762928, 4317732769762928, 490, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b2264656c697665726564225d7d7d', '\x7b226964223a2264656c697665726564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/1', 0);
INSERT INTO webhooks_events VALUES (5, '\x6e1c94f5d59041665758c35bc687945095e18d32', '/webhooks/test', 'test', 'message.created', '', 'dead', 1164132770103998, 4317732770103998, 475, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b2264656164225d7d7d', '\x7b226964223a2264656164222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/2', 0);
INSERT INTO webhooks_events VALUES (6, '\x97b6a7b36aeb6ed27c11314934a8ac046396e409', '/webhooks/test', 'test', 'message.created', '', 'deferred', 1164132770107525, 4317732770107525, 487, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b226465666572726564225d7d7d', '\x7b226964223a226465666572726564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/3', 0);
INSERT INTO webhooks_events VALUES (7, '\x4ed0db9db60593c8142ba1ca144856c4dbd9b893', '/webhooks/test', 'test', 'order.made', 'k', 'order-1', 1164132770111966, 4317732770111966, 480, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b226f726465722d31225d7d7d', '\x7b226964223a226f726465722d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/4', 0);
INSERT INTO webhooks_events VALUES (8, '\xcaa6bb6d4528a3720bb56cdd1b47f1638a7d6763', '/webhooks/test', 'test', 'order.paid', 'k', 'order-2', 1164132770117003, 4317732770117003, 480, 7, '\x7b226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b226f726465722d32225d7d7d', '\x7b226964223a226f726465722d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/4', 0);
INSERT INTO webhooks_events VALUES (9, '\x912e2d662324bfe43db5f2ec67c6c1d42ecc110f', '/webhooks/test', 'test', 'message.created', '', 'untried-1', 1164132771081848, 4317732771081848, 352, 7, NULL, '\x7b226964223a22756e74726965642d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/5', 9);
INSERT INTO webhooks_events VALUES (10, '\xfaa22ebabaaa2a06369cf96259cbb7a30a2402cb', '/webhooks/test', 'test', 'message.created', '', 'untried-2', 1164132771081853, 4317732771081853, 352, 7, NULL, '\x7b226964223a22756e74726965642d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d', 'people/6', 9);
INSERT INTO webhooks_exceptions VALUES (2, 'crm', 'retry', 1795284772837035, 1, 0, 1795284769782771, 500, 'answered 500', '\x62757379', '', 848599969692562, 492);
INSERT INTO webhooks_exceptions VALUES (1, 'crm', 'retry', 1795284773915080, 1, 0, 1795284769782784, 500, 'answered 500', '\x62757379', '', 848599969690260, 492);
INSERT INTO webhooks_exceptions VALUES (5, 'crm', 'dead', 1795284770116956, 1, 0, 1795284770116972, 410, 'answered 410', '\x676f6e6520666f7220676f6f64', '', 1164132770103998, 475);
INSERT INTO webhooks_exceptions VALUES (6, 'crm', 'retry', 1795284773052150, 1, 0, 1795284770120678, 500, 'answered 500', '\x62757379', '', 1164132770107525, 487);
INSERT INTO webhooks_exceptions VALUES (8, 'orders', 'parked', 1795284770772058, 0, 0, 1795284770772058, 0, '', NULL, 'k', 1164132770117003, 480);
INSERT INTO webhooks_exceptions VALUES (7, 'orders', 'retry', 1795284774433066, 1, 0, 1795284770772055, 500, 'answered 500', '\x62757379', 'k', 1164132770111966, 480);
INSERT INTO webhooks_keys VALUES ('\x632f398e73db12690e617a8e96c1945230731595', 4002199969690260, 1);
INSERT INTO webhooks_keys VALUES ('\x0fc51a3bc3f9fe7a1673e51e53e3eabdb7044715', 4002199969692562, 2);
INSERT INTO webhooks_keys VALUES ('\x59379656d01cfd46c14d73649336b9b278ac258f', 4002199969762923, 3);
INSERT INTO webhooks_keys VALUES ('\xea4ce8f0a538e8329825a3f91a4b6aee59afb259', 4317732769762928, 4);
INSERT INTO webhooks_keys VALUES ('\x6e1c94f5d59041665758c35bc687945095e18d32', 4317732770103998, 5);
INSERT INTO webhooks_keys VALUES ('\x97b6a7b36aeb6ed27c11314934a8ac046396e409', 4317732770107525, 6);
INSERT INTO webhooks_keys VALUES ('\x4ed0db9db60593c8142ba1ca144856c4dbd9b893', 4317732770111966, 7);
INSERT INTO webhooks_keys VALUES ('\xcaa6bb6d4528a3720bb56cdd1b47f1638a7d6763', 4317732770117003, 8);
INSERT INTO webhooks_keys VALUES ('\x912e2d662324bfe43db5f2ec67c6c1d42ecc110f', 4317732771081848, 9);
INSERT INTO webhooks_keys VALUES ('\xfaa22ebabaaa2a06369cf96259cbb7a30a2402cb', 4317732771081853, 10);
INSERT INTO webhooks_leftovers VALUES (4002199969762923, '\x59379656d01cfd46c14d73649336b9b278ac258f');
INSERT INTO webhooks_migrations VALUES (1);
INSERT INTO webhooks_migrations VALUES (2);
INSERT INTO webhooks_probe VALUES (1, 1795284770736119, '\x');
INSERT INTO webhooks_queue VALUES (1, 10, 4494);
INSERT INTO webhooks_requests VALUES (9, 10, 394, '\x7b226d6574686f64223a22504f5354222c22757269223a222f686f6f6b73222c22686f7374223a22686f6f6b732e6578616d706c652e636f6d222c2270726f746f223a22485454502f312e31222c2272656d6f7465223a223139322e302e322e313a31323334222c22686561646572223a7b22582d53656e74223a5b22756e74726965642d31225d7d7d');
ALTER TABLE ONLY webhooks_destinations
    ADD CONSTRAINT webhooks_destinations_pkey PRIMARY KEY (name);
ALTER TABLE ONLY webhooks_events
    ADD CONSTRAINT webhooks_events_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY webhooks_exceptions
    ADD CONSTRAINT webhooks_exceptions_pkey PRIMARY KEY (seq, name);
ALTER TABLE ONLY webhooks_gateways
    ADD CONSTRAINT webhooks_gateways_pkey PRIMARY KEY (holder);
ALTER TABLE ONLY webhooks_keys
    ADD CONSTRAINT webhooks_keys_pkey PRIMARY KEY (key);
ALTER TABLE ONLY webhooks_leftovers
    ADD CONSTRAINT webhooks_leftovers_pkey PRIMARY KEY (expires, key);
ALTER TABLE ONLY webhooks_migrations
    ADD CONSTRAINT webhooks_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY webhooks_probe
    ADD CONSTRAINT webhooks_probe_pkey PRIMARY KEY (id);
ALTER TABLE ONLY webhooks_queue
    ADD CONSTRAINT webhooks_queue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY webhooks_requests
    ADD CONSTRAINT webhooks_requests_pkey PRIMARY KEY (first);
CREATE INDEX webhooks_exceptions_due ON webhooks_exceptions USING btree (name, state, due);
CREATE INDEX webhooks_exceptions_key ON webhooks_exceptions USING btree (name, partition_key, seq);
ALTER TABLE ONLY webhooks_exceptions
    ADD CONSTRAINT webhooks_exceptions_name_fkey FOREIGN KEY (name) REFERENCES webhooks_destinations(name);
ALTER TABLE ONLY webhooks_exceptions
    ADD CONSTRAINT webhooks_exceptions_seq_fkey FOREIGN KEY (seq) REFERENCES webhooks_events(seq);
