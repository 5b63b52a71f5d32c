-- The ledger is append-only, and the database sees to it: what it said at any time it goes on saying. An entry is ended, once and
-- not before it began; nothing else of it changes, and nothing goes. Who must rewrite the ledger all the same says so in the
-- transaction: SET LOCAL closedloop.rewrites_ledger = 'on'.

-- No entry is without credits: those of one model that is always kept must be there when the transaction ends.
ALTER TABLE state.entries
    ADD CHECK (version > 0),
    ADD COLUMN credited_by text COLLATE "C" NOT NULL DEFAULT 'linear' CHECK (credited_by = 'linear'),
    ADD CONSTRAINT entries_have_credits FOREIGN KEY (provider, deal_id, version, credited_by)
        REFERENCES state.credits (provider, deal_id, version, model) DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION state.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation',
        MESSAGE = format('the ledger is append-only: %s of %s is refused', TG_OP, TG_TABLE_NAME),
        HINT = 'end the entry and add another; SET LOCAL closedloop.rewrites_ledger = ''on'' is for who must rewrite it';
END $$;

-- Without cost for who ends entries: these are asked once a statement, and only by one that names such a column.
CREATE TRIGGER entries_stay BEFORE DELETE OR TRUNCATE OR UPDATE OF
    provider, deal_id, version, amount, currency, created_at, closed_at, owner, touches, lead_touch, visitor_id, touch_id,
    occurred_at, channel, source, medium, campaign, content, term, landing_page, referrer, cause, recorded_at, credited_by
    ON state.entries FOR EACH STATEMENT
    WHEN (current_setting('closedloop.rewrites_ledger', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION state.refuse_rewriting();
CREATE TRIGGER credits_stay BEFORE DELETE OR TRUNCATE OR UPDATE ON state.credits FOR EACH STATEMENT
    WHEN (current_setting('closedloop.rewrites_ledger', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION state.refuse_rewriting();
CREATE TRIGGER entries_end_once BEFORE UPDATE OF superseded_at, superseded_cause ON state.entries FOR EACH ROW
    WHEN ((OLD.superseded_at IS NOT NULL OR NEW.superseded_at < OLD.recorded_at)
          AND current_setting('closedloop.rewrites_ledger', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION state.refuse_rewriting();

-- At any time a deal has one entry at most: each begins when the one before it has ended, and not before. The table is named
-- when it is asked, since a replay makes a ledger in another schema.
CREATE FUNCTION state.refuse_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    EXECUTE format(
        'SELECT provider, deal_id, version FROM added
         WHERE version > 1 AND NOT EXISTS (
             SELECT FROM %I.entries AS former
             WHERE (former.provider, former.deal_id, former.version) = (added.provider, added.deal_id, added.version - 1)
               AND former.superseded_at <= added.recorded_at)
         LIMIT 1', TG_TABLE_SCHEMA) INTO wrong;
    IF wrong.version IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = format(
            'entry %s of deal %s:%s does not begin after the end of the one before it',
            wrong.version, wrong.provider, wrong.deal_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_follow_each_other AFTER INSERT ON state.entries REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION state.refuse_overlap();

-- Shares are doubles, so they sum to 1 as nearly as doubles do.
CREATE FUNCTION state.refuse_shares() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT provider, deal_id, model INTO wrong FROM added
    WHERE abs((SELECT sum(share) FROM unnest(shares) AS given (share)) - 1) > 1e-9 OR NOT 0 <= ALL (shares)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = format(
            'the shares of deal %s:%s under %s do not sum to 1', wrong.provider, wrong.deal_id, wrong.model);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER shares_sum_to_one AFTER INSERT ON state.credits REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION state.refuse_shares();

-- What was recorded or ended between two instants is found without reading the whole ledger.
CREATE INDEX entries_by_begin ON state.entries (recorded_at);
CREATE INDEX entries_by_end ON state.entries (superseded_at) WHERE superseded_at IS NOT NULL;
