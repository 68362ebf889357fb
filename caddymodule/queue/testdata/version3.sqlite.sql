-- A queue with version 3 of the schema: what the program with that version wrote, as sqlite3 .dump dumped it.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE webhooks_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO webhooks_migrations VALUES(1);
INSERT INTO webhooks_migrations VALUES(2);
INSERT INTO webhooks_migrations VALUES(3);
CREATE TABLE webhooks_queue (
	id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	last   BIGINT  NOT NULL, -- the last seq that was used
	bytes  BIGINT  NOT NULL);
INSERT INTO webhooks_queue VALUES(1,10,3177);
CREATE TABLE webhooks_events (
	seq           INTEGER  NOT NULL PRIMARY KEY,
	key           BLOB NOT NULL,
	source        TEXT   NOT NULL,
	provider      TEXT   NOT NULL,
	type          TEXT   NOT NULL,
	partition_key TEXT   NOT NULL,
	event_id      TEXT   NOT NULL, -- the provider's own
	received      BIGINT NOT NULL,
	expires       BIGINT NOT NULL, -- when the key is forgotten
	size          BIGINT NOT NULL, -- in webhooks_queue.bytes
	original      BIGINT NOT NULL, -- the number of bytes of the body that are the provider's own
	request       BLOB,
	body          BLOB NOT NULL
, subject TEXT NOT NULL DEFAULT '', shared BIGINT NOT NULL DEFAULT 0);
INSERT INTO webhooks_events VALUES(1,X'ea4ce8f0a538e8329825a3f91a4b6aee59afb259','/webhooks/test','test','message.created','','delivered',1763760724104837,4917360724104837,434,7,X'7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d',X'7b226964223a2264656c697665726564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/delivered',0);
INSERT INTO webhooks_events VALUES(2,X'7380f48c00aa7e3f865e6dd2c8c855ce34c58ab4','/webhooks/test','test','message.created','','retried',1763760724108950,4917360724108950,428,7,X'7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d',X'7b226964223a2272657472696564222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/retried',0);
INSERT INTO webhooks_events VALUES(3,X'eee3fcdc65c9f07939287bed3ab2a67d652ac565','/webhooks/test','test','message.created','','gone',1763760724109386,4917360724109386,419,7,X'7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d',X'7b226964223a22676f6e65222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/gone',0);
INSERT INTO webhooks_events VALUES(4,X'4ed0db9db60593c8142ba1ca144856c4dbd9b893','/webhooks/test','test','order.created','key','order-1',1763760724111549,4917360724111549,429,7,X'7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d',X'7b226964223a226f726465722d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/order-1',0);
INSERT INTO webhooks_events VALUES(5,X'caa6bb6d4528a3720bb56cdd1b47f1638a7d6763','/webhooks/test','test','order.created','key','order-2',1763760724112965,4917360724112965,429,7,X'7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d',X'7b226964223a226f726465722d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/order-2',0);
INSERT INTO webhooks_events VALUES(6,X'28466b3f27c223ae999f99c0c2f09dcdbd5247db','/webhooks/test','test','message.created','','batch-1',1763760724114508,4917360724114508,354,7,NULL,X'7b226964223a2262617463682d31222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/batch-1',6);
INSERT INTO webhooks_events VALUES(7,X'f73da9a22108b42c782081c0a8205f832f9bae2f','/webhooks/test','test','message.created','','batch-2',1763760724114511,4917360724114511,354,7,NULL,X'7b226964223a2262617463682d32222c2264617461223a7b226f726967696e616c223a7b226e223a317d7d7d','people/batch-2',6);
CREATE TABLE webhooks_keys (
	key     BLOB NOT NULL PRIMARY KEY,
	expires BIGINT NOT NULL,
	seq     BIGINT NOT NULL -- the last event with this key
) WITHOUT ROWID;
INSERT INTO webhooks_keys VALUES(X'28466b3f27c223ae999f99c0c2f09dcdbd5247db',4917360724114508,6);
INSERT INTO webhooks_keys VALUES(X'4ed0db9db60593c8142ba1ca144856c4dbd9b893',4917360724111549,4);
INSERT INTO webhooks_keys VALUES(X'7380f48c00aa7e3f865e6dd2c8c855ce34c58ab4',4917360724108950,2);
INSERT INTO webhooks_keys VALUES(X'caa6bb6d4528a3720bb56cdd1b47f1638a7d6763',4917360724112965,5);
INSERT INTO webhooks_keys VALUES(X'ea4ce8f0a538e8329825a3f91a4b6aee59afb259',4917360724104837,1);
INSERT INTO webhooks_keys VALUES(X'eee3fcdc65c9f07939287bed3ab2a67d652ac565',4917360724109386,3);
INSERT INTO webhooks_keys VALUES(X'f73da9a22108b42c782081c0a8205f832f9bae2f',4917360724114511,7);
CREATE TABLE IF NOT EXISTS "webhooks_expired_keys" (
	expires BIGINT NOT NULL,
	key     BLOB NOT NULL,
	PRIMARY KEY (expires, key)
) WITHOUT ROWID;
CREATE TABLE webhooks_destinations (
	name     TEXT     NOT NULL PRIMARY KEY,
	filter   TEXT     NOT NULL, -- JSON
	position BIGINT   NOT NULL,
	begun    BIGINT   NOT NULL,
	gaps     TEXT     NOT NULL, -- JSON: what came in while no configuration had the name
	paused   SMALLINT NOT NULL,
	holder   TEXT     NOT NULL, -- the gateway that works it
	lease    BIGINT   NOT NULL);
INSERT INTO webhooks_destinations VALUES('archive','{"source":"/webhooks/test","types":[["message","*"]]}',0,0,'[]',1,'',1);
INSERT INTO webhooks_destinations VALUES('crm','{"source":"/webhooks/test","types":[["message","*"]]}',10,10,'[]',0,'',1);
INSERT INTO webhooks_destinations VALUES('orders','{"source":"/webhooks/test","types":[["order","*"]]}',10,10,'[]',0,'',1);
CREATE TABLE IF NOT EXISTS "webhooks_deliveries" (
	seq           BIGINT   NOT NULL REFERENCES webhooks_events (seq),
	name          TEXT     NOT NULL REFERENCES webhooks_destinations (name),
	state         TEXT     NOT NULL,
	due           BIGINT   NOT NULL,
	attempts      INTEGER  NOT NULL, -- that were begun
	replay        SMALLINT NOT NULL,
	tried         BIGINT   NOT NULL, -- when the last attempt ended, or it was parked
	status        INTEGER  NOT NULL,
	error         TEXT     NOT NULL,
	excerpt       BLOB,
	partition_key TEXT     NOT NULL,
	received      BIGINT   NOT NULL,
	size          BIGINT   NOT NULL,
	PRIMARY KEY (seq, name)
);
INSERT INTO webhooks_deliveries VALUES(3,'crm','dead',1763760724115125,1,0,1763760724115129,410,'answered 410',X'676f6e6520666f7220676f6f64','',1763760724109386,419);
INSERT INTO webhooks_deliveries VALUES(2,'crm','retry',1763760740369400,1,0,1763760724115141,500,'answered 500',X'6e6f74206e6f77','',1763760724108950,428);
INSERT INTO webhooks_deliveries VALUES(4,'orders','retry',1763760743863919,1,0,1763760724115096,500,'answered 500',X'6e6f74206e6f77','key',1763760724111549,429);
INSERT INTO webhooks_deliveries VALUES(5,'orders','parked',1763760724115099,0,0,1763760724115100,0,'',NULL,'key',1763760724112965,429);
CREATE TABLE webhooks_requests (
	first   INTEGER  NOT NULL PRIMARY KEY,
	last    BIGINT NOT NULL,
	size    BIGINT NOT NULL, -- in webhooks_queue.bytes
	request BLOB NOT NULL
);
INSERT INTO webhooks_requests VALUES(6,7,330,X'7b226d6574686f64223a22504f5354222c22757269223a222f222c22686f7374223a22222c2270726f746f223a22222c2272656d6f7465223a22222c22686561646572223a6e756c6c7d');
CREATE TABLE webhooks_gateways (
	holder TEXT   NOT NULL PRIMARY KEY,
	until  BIGINT NOT NULL, -- by the server's clock
	names  TEXT   NOT NULL  -- JSON: the destinations in its configuration
);
CREATE TABLE webhooks_probe (
	id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
	seen   BIGINT  NOT NULL,
	filler BLOB  NOT NULL
);
INSERT INTO webhooks_probe VALUES(1,1763760725103205,'');
CREATE INDEX webhooks_deliveries_due ON webhooks_deliveries (name, state, due);
CREATE INDEX webhooks_deliveries_key ON webhooks_deliveries (name, partition_key, seq);
COMMIT;
