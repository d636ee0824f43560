-- Ledgers: append-only lists of a tenant, outside any stack. `kind` says what they are about. Whoever appends locks the
-- ledger's row here first.
CREATE TABLE ledgers (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    UNIQUE (kind, tenant, name)
);

-- Their records; `ledger` is `ledgers.id`. The body is sealed and check-summed by the engine.
CREATE TABLE ledger_records (
    ledger bigint NOT NULL REFERENCES ledgers (id),
    seq bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (ledger, seq)
);

-- Appends to a ledger; returns the number of the next record. What is there already with the same body is left alone, so
-- that a call may arrive twice.
-- SW013: a record is there with another body (its number). SW014: a gap (the number, the one that would be next).
CREATE FUNCTION append_1(p_tenant text, p_kind text, p_name text, p_seqs bigint[], p_bodies bytea[])
    RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
DECLARE
    v_ledger bigint;
    v_end bigint;
    v_body bytea;
BEGIN
    LOOP
        SELECT id INTO v_ledger FROM ledgers
            WHERE kind = p_kind AND tenant = p_tenant AND name = p_name FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO ledgers (kind, tenant, name) VALUES (p_kind, p_tenant, p_name) ON CONFLICT DO NOTHING;
    END LOOP;
    -- Not before the lock: others may have appended while this waited.
    SELECT coalesce(max(seq) + 1, 0) INTO v_end FROM ledger_records WHERE ledger = v_ledger;
    FOR idx IN 1 .. cardinality(p_seqs) LOOP
        IF p_seqs[idx] > v_end THEN
            RAISE EXCEPTION USING ERRCODE = 'SW014', MESSAGE = 'ledger gap', DETAIL = p_seqs[idx] || ' ' || v_end;
        ELSIF p_seqs[idx] < v_end THEN
            SELECT body INTO v_body FROM ledger_records WHERE ledger = v_ledger AND seq = p_seqs[idx];
            IF v_body IS DISTINCT FROM p_bodies[idx] THEN
                RAISE EXCEPTION USING ERRCODE = 'SW013', MESSAGE = 'record differs', DETAIL = p_seqs[idx]::text;
            END IF;
        ELSE
            INSERT INTO ledger_records (ledger, seq, body) VALUES (v_ledger, v_end, p_bodies[idx]);
            v_end := v_end + 1;
        END IF;
    END LOOP;
    RETURN v_end;
END
$$;
