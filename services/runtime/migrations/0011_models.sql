-- More models: some ask when the lead was created, which is when somebody first filled out a form or was identified.

-- The place of that touch in the journey; null where nobody can be credited, and in entries older than this.
ALTER TABLE state.entries ADD COLUMN lead_touch integer CHECK (lead_touch BETWEEN 1 AND touches);

-- Identity publishes when each identifier stood in a form or a call that identifies, of those that count.
CREATE VIEW state.registration AS
    SELECT i.id AS identifier, s.occurred_at
    FROM state.identifiers i JOIN state.statement s ON s.identifiers @> ARRAY[i.id]
    WHERE s.type IN ('form', 'identify');

-- Five times as quick as a query: it is asked for each model of each deal.
CREATE OR REPLACE FUNCTION state.total(amounts bigint[]) RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    total bigint := 0;
    amount bigint;
BEGIN
    FOREACH amount IN ARRAY amounts LOOP
        total := total + amount;
    END LOOP;
    RETURN total;
END $$;

-- Deals that were credited get the new models.
INSERT INTO state.notes (consumer_group, kind, key)
SELECT 'attributor', 'deal', jsonb_build_array(provider, deal_id, 'rules changed')::text
FROM state.entries WHERE superseded_at IS NULL;
