-- What `closedloop replay` asks of Postgres. Two states stand side by side, so each is named: `state`, the one in force,
-- and `replay`, the one that was derived anew. Both were made by the same migrations.

-- name: claim
-- One replay at a time; held by the session until it ends, however it ends.
SELECT pg_try_advisory_lock(hashtext('closedloop.replay'));

-- name: size
-- What a schema's tables and their indexes take on the disk; null when there is no such schema.
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1);

-- name: tables
-- The tables of a schema.
SELECT quote_ident($1) || '.' || quote_ident(relname) AS name
FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1) ORDER BY relname;

-- name: any_identifier
-- Somebody who is known in the state in force.
SELECT id, value FROM state.identifiers LIMIT 1;

-- name: held
-- How many partitions of a log these members hold.
SELECT count(*) FROM positions WHERE log_id = $1 AND owner = ANY ($2::text[]);

-- name: touches_of_other_channel
-- By old and new channel how many touches have another; null where a touch is there in one state alone.
SELECT before.channel AS before, after.channel AS after, count(*) AS touches
FROM (SELECT visitor_id, touch_id, occurred_at, channel FROM state.touch) AS before
FULL JOIN (SELECT visitor_id, touch_id, occurred_at, channel FROM replay.touch) AS after
    USING (visitor_id, touch_id, occurred_at)
WHERE before.channel IS DISTINCT FROM after.channel
GROUP BY 1, 2
ORDER BY touches DESC, before, after;

-- name: touches_of_other_lead
-- By old and new lead how many touches have another, the first $1; with the number of all such touches, and of all leads
-- that gain or lose one.
WITH moved AS (
    SELECT before.lead AS before, after.lead AS after
    FROM (SELECT visitor_id, touch_id, occurred_at, lead FROM state.touch LEFT JOIN state.lead_of ON identifier = owner)
        AS before
    JOIN (SELECT visitor_id, touch_id, occurred_at, lead FROM replay.touch LEFT JOIN replay.lead_of ON identifier = owner)
        AS after USING (visitor_id, touch_id, occurred_at)
    WHERE before.lead IS DISTINCT FROM after.lead
)
SELECT before, after, count(*) AS touches, (SELECT count(*) FROM moved) AS all_touches,
       (SELECT count(DISTINCT lead) FROM moved CROSS JOIN LATERAL (VALUES (before), (after)) AS either (lead)) AS all_leads
FROM moved
GROUP BY before, after
ORDER BY touches DESC, before, after
LIMIT $1;

-- name: money_of_other_channel
-- By currency, model and channel the money of all won deals, where it is another.
WITH given AS (
    SELECT false AS is_new, e.currency, c.model, t.channel, t.amount
    FROM state.entries e JOIN state.credits c USING (provider, deal_id, version)
    CROSS JOIN LATERAL unnest(e.channel, c.amounts) AS t (channel, amount)
    WHERE e.superseded_at IS NULL
    UNION ALL
    SELECT true, e.currency, c.model, t.channel, t.amount
    FROM replay.entries e JOIN replay.credits c USING (provider, deal_id, version)
    CROSS JOIN LATERAL unnest(e.channel, c.amounts) AS t (channel, amount)
    WHERE e.superseded_at IS NULL
), summed AS (
    SELECT currency, model, channel, coalesce(sum(amount) FILTER (WHERE NOT is_new), 0) AS before,
           coalesce(sum(amount) FILTER (WHERE is_new), 0) AS after
    FROM given
    GROUP BY currency, model, channel
)
SELECT currency, model, channel, before::bigint, after::bigint FROM summed
WHERE before <> after
ORDER BY currency, model, greatest(before, after) DESC, channel;

-- name: changed_deals
-- The deals whose current entry in the ledger is another, or there in one state alone. When and why an entry was made is
-- not compared.
WITH before AS (
    SELECT provider, deal_id,
           to_jsonb(e) - '{version, cause, recorded_at, superseded_at, superseded_cause}'::text[] AS entry,
           (SELECT jsonb_object_agg(model, jsonb_build_array(amounts, shares)) FROM state.credits c
            WHERE (c.provider, c.deal_id, c.version) = (e.provider, e.deal_id, e.version)) AS credits
    FROM state.entries e WHERE superseded_at IS NULL
), after AS (
    SELECT provider, deal_id,
           to_jsonb(e) - '{version, cause, recorded_at, superseded_at, superseded_cause}'::text[] AS entry,
           (SELECT jsonb_object_agg(model, jsonb_build_array(amounts, shares)) FROM replay.credits c
            WHERE (c.provider, c.deal_id, c.version) = (e.provider, e.deal_id, e.version)) AS credits
    FROM replay.entries e WHERE superseded_at IS NULL
)
SELECT provider, deal_id FROM before FULL JOIN after USING (provider, deal_id)
WHERE (before.entry, before.credits) IS DISTINCT FROM (after.entry, after.credits);

-- name: count_won
-- How many deals have an entry now.
SELECT count(*) FROM state.entries WHERE superseded_at IS NULL;

-- name: letters
-- How many records could not be read or handled.
SELECT count(*) FROM dead_letters;

-- name: begun_at
-- When the new state was begun.
SELECT since FROM replay.rules;

-- name: hold_ledger_still
-- Nobody corrects the ledger in force until the transaction ends; it can be read.
LOCK TABLE state.entries, state.credits IN SHARE MODE;

-- name: ledger_time
-- The time of the corrections: a clock that was set back does not count.
SELECT greatest(clock_timestamp(), max(recorded_at), max(superseded_at)) FROM state.entries;

-- name: put_due_aside
-- What the new state has of the changed deals, and the number that each will have in the ledger; `changed` names them.
CREATE TEMP TABLE due_entries ON COMMIT DROP AS
    SELECT e.* FROM replay.entries e JOIN changed USING (provider, deal_id) WHERE superseded_at IS NULL;
CREATE TEMP TABLE due_credits ON COMMIT DROP AS
    SELECT c.* FROM replay.credits c JOIN due_entries USING (provider, deal_id, version);
CREATE TEMP TABLE numbered ON COMMIT DROP AS
    SELECT provider, deal_id, coalesce(max(e.version), 0) + 1 AS version
    FROM changed LEFT JOIN state.entries e USING (provider, deal_id) GROUP BY provider, deal_id;

-- name: take_over_history
-- The ledger so far, whole: what it said at any time it goes on saying.
SET LOCAL closedloop.rewrites_ledger = 'on';
TRUNCATE replay.entries, replay.credits;
SET LOCAL closedloop.rewrites_ledger = 'off';
ALTER TABLE replay.entries DISABLE TRIGGER USER;  -- they checked each row when it was written, and would copy them all
ALTER TABLE replay.credits DISABLE TRIGGER USER;
INSERT INTO replay.entries SELECT * FROM state.entries;
INSERT INTO replay.credits SELECT * FROM state.credits;
SET CONSTRAINTS replay.entries_have_credits IMMEDIATE;  -- what is still to be checked forbids to alter the table
SET CONSTRAINTS replay.entries_have_credits DEFERRED;
ALTER TABLE replay.entries ENABLE TRIGGER USER;
ALTER TABLE replay.credits ENABLE TRIGGER USER;

-- name: close_changed
-- What holds no longer ends now.
UPDATE replay.entries e SET superseded_at = $1, superseded_cause = $2
FROM changed WHERE (e.provider, e.deal_id) = (changed.provider, changed.deal_id) AND e.superseded_at IS NULL;

-- name: date_due
-- What holds instead begins at the same time, behind the deal's last version.
UPDATE due_entries d SET version = n.version, recorded_at = $1, cause = $2
FROM numbered n WHERE (d.provider, d.deal_id) = (n.provider, n.deal_id);

-- name: add_due
-- Into the ledger with it.
UPDATE due_credits d SET version = n.version FROM numbered n WHERE (d.provider, d.deal_id) = (n.provider, n.deal_id);
INSERT INTO replay.entries SELECT * FROM due_entries;
INSERT INTO replay.credits SELECT * FROM due_credits;

-- name: renumber_letters
-- Dead letters get numbers that no letter had before, so that who means an old one hits no other; a record that was tried
-- again already counts as tried.
SELECT setval('replay.dead_letters_id_seq',
              greatest((SELECT last_value FROM state.dead_letters_id_seq), (SELECT last_value FROM replay.dead_letters_id_seq)));
UPDATE replay.dead_letters n SET id = DEFAULT, tries = coalesce((
    SELECT o.tries FROM state.dead_letters o
    WHERE (o.consumer_group, o.log_id, o.topic, o.partition, o.log_offset)
        = (n.consumer_group, n.log_id, n.topic, n.partition, n.log_offset)), n.tries);

-- name: version_of_tables
-- The number of the last migration.
SELECT max(number) FROM migration.journal;

-- name: switch
-- The new state is the one in force from the commit on. The former one is kept, the one before it goes.
DROP SCHEMA IF EXISTS state_before CASCADE;
ALTER SCHEMA state RENAME TO state_before;
ALTER SCHEMA replay RENAME TO state;
