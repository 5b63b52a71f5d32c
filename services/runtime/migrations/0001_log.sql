-- The embedded log, and where its readers are. Schema `log` outlives a replay; schema `state` is what a replay makes anew.
CREATE SCHEMA log;
CREATE SCHEMA state;

-- One row names this log; positions are kept by it, so that moving to another log starts where that one starts.
CREATE TABLE log.identity (log_id uuid PRIMARY KEY);
INSERT INTO log.identity VALUES (gen_random_uuid());

-- The next offset of each partition. Appending takes it and writes in one statement: commit order is offset order.
CREATE TABLE log.heads (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- One row an append and partition: `count` records from `first_offset` on, framed by the adapter.
CREATE TABLE log.batches (
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    count integer NOT NULL CHECK (count > 0),
    records bytea NOT NULL,
    appended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, first_offset)
);

-- Consumers that are alive: by the database's clock, and while Postgres knows a session of that name.
CREATE TABLE state.members (
    consumer_group text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (consumer_group, member)
) WITH (fillfactor = 50);

-- How far each group has read, and which member holds the partition, for as long as that member lives. `next_offset` is
-- the fence: it moves only from its value.
CREATE TABLE state.positions (
    log_id uuid NOT NULL,
    consumer_group text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    owner text COLLATE "C",
    PRIMARY KEY (log_id, consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- Records that could not be read or handled: where they are, why, and their bytes.
CREATE TABLE state.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_group text COLLATE "C" NOT NULL,
    log_id uuid NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    log_offset bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    value bytea NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (consumer_group, log_id, topic, partition, log_offset)
);

-- What another part must look at again, written in the transaction that changed it. `key` is a visitor or an identifier's id.
CREATE TABLE state.notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_group text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    from_at timestamptz NOT NULL DEFAULT '-infinity',
    to_at timestamptz NOT NULL DEFAULT 'infinity',
    left_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX notes_by_group ON state.notes (consumer_group, id);

-- The rules that the present state was derived under. A change of them takes effect by a replay.
CREATE TABLE state.rules (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    rules jsonb NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
