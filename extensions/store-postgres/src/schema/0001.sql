-- Everything is made in one schema, which `search_path` names while this runs; functions remember it.
-- Moments are milliseconds since the Unix epoch by the database's clock, if nothing else is said.

-- The one clock that leases are judged by, whichever machine asks.
CREATE FUNCTION now_ms() RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path FROM CURRENT
    AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- Fencing tokens, over all stacks: what was handed out once is never handed out again.
CREATE SEQUENCE tokens AS bigint;

-- A stack, or merely a lease on one: without a lineage nothing was committed yet. Whoever writes anything of a stack
-- locks its row here first.
CREATE TABLE stacks (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    lineage uuid,
    serial bigint NOT NULL DEFAULT 0,
    body bytea,
    token bigint,
    holder text,
    expires bigint,
    -- Which attempt to take the lease was the last to succeed; it stays when the lease is given back.
    claim uuid,
    UNIQUE (tenant, name)
) WITH (fillfactor = 70);

-- How far each writer came under each token, so that a call that is sent twice is done once.
CREATE TABLE marks (
    token bigint NOT NULL,
    writer uuid NOT NULL,
    stack bigint NOT NULL REFERENCES stacks (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (token, writer)
) WITH (fillfactor = 50);

CREATE INDEX marks_of_stack ON marks (stack);

-- Rows of state. The body is sealed and check-summed by the engine. No foreign keys here and for `entries`: these two are
-- written by the ten thousand, and only by the functions below, which hold the stack's row.
CREATE TABLE objects (
    stack bigint NOT NULL,
    object uuid NOT NULL,
    address text NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (stack, object)
);

-- Runs; the order of `id` is the order in which those of one stack were added.
CREATE TABLE runs (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    run uuid NOT NULL UNIQUE,
    stack bigint NOT NULL REFERENCES stacks (id),
    status text NOT NULL,
    started bigint NOT NULL,
    finished bigint,
    body bytea NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX runs_of_stack ON runs (stack, id);

-- Plan segments of runs; `run` is `runs.id`.
CREATE TABLE segments (
    run bigint NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, number)
);

-- Journals of runs; `run` is `runs.id`.
CREATE TABLE entries (
    run bigint NOT NULL,
    seq bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, seq)
);

-- Takes the lease of a stack. `p_claim` names the attempt: sent again, it finds what it got.
-- SW001: this attempt had it already, and it was given back or taken away since.
CREATE FUNCTION acquire_1(p_tenant text, p_name text, p_holder text, p_ttl bigint, p_claim uuid)
    RETURNS TABLE (granted boolean, held_token bigint, held_by text, remaining bigint)
    LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
DECLARE
    s stacks%ROWTYPE;
    v_now bigint;
BEGIN
    LOOP
        SELECT * INTO s FROM stacks WHERE tenant = p_tenant AND name = p_name FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO stacks (tenant, name) VALUES (p_tenant, p_name) ON CONFLICT DO NOTHING;
    END LOOP;
    -- Not before the lock: waiting for it took time.
    v_now := now_ms();
    IF s.claim = p_claim THEN
        IF s.token IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'SW001', MESSAGE = 'lease lost';
        END IF;
        RETURN QUERY SELECT true, s.token, s.holder, s.expires - v_now;
        RETURN;
    END IF;
    IF s.token IS NOT NULL AND s.expires > v_now THEN
        RETURN QUERY SELECT false, s.token, s.holder, s.expires - v_now;
        RETURN;
    END IF;
    -- Marks answer those who lost a reply; nobody asks for so long.
    DELETE FROM marks WHERE stack = s.id AND at < v_now - 86400000;
    RETURN QUERY
        UPDATE stacks SET token = nextval('tokens'), holder = p_holder, expires = v_now + p_ttl, claim = p_claim
        WHERE id = s.id RETURNING true, token, holder, p_ttl;
END
$$;

-- Extends a lease; false where it is not held.
CREATE FUNCTION renew_1(p_tenant text, p_name text, p_token bigint, p_ttl bigint)
    RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
DECLARE
    v_stack bigint;
BEGIN
    SELECT id INTO v_stack FROM stacks
        WHERE tenant = p_tenant AND name = p_name AND token = p_token FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE stacks SET expires = now_ms() + p_ttl WHERE id = v_stack;
    RETURN true;
END
$$;

-- Takes a lease from whoever holds it under this token; of a stack without anything else, nothing stays.
CREATE FUNCTION free_1(p_tenant text, p_name text, p_token bigint)
    RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
DECLARE
    v_stack bigint;
BEGIN
    UPDATE stacks SET token = NULL, holder = NULL, expires = NULL
        WHERE tenant = p_tenant AND name = p_name AND token = p_token RETURNING id INTO v_stack;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM stacks WHERE id = v_stack AND lineage IS NULL
        AND NOT EXISTS (SELECT 1 FROM runs WHERE stack = v_stack);
    RETURN true;
END
$$;

-- Removes all of a stack but its lease.
CREATE FUNCTION forget_1(p_tenant text, p_name text, p_token bigint, p_writer uuid, p_number bigint)
    RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
DECLARE
    v_stack bigint;
    v_token bigint;
    v_done bigint;
    v_rows bigint;
BEGIN
    SELECT id, token INTO v_stack, v_token FROM stacks
        WHERE tenant = p_tenant AND name = p_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SW001', MESSAGE = 'lease lost';
    END IF;
    -- As for a commit: what was sent twice must not forget the history that began since.
    SELECT number INTO v_done FROM marks WHERE token = p_token AND writer = p_writer AND stack = v_stack;
    IF v_done >= p_number THEN
        RETURN false;
    END IF;
    IF v_token IS DISTINCT FROM p_token THEN
        RAISE EXCEPTION USING ERRCODE = 'SW001', MESSAGE = 'lease lost';
    END IF;
    SELECT count(*) INTO v_rows FROM objects WHERE stack = v_stack;
    IF v_rows > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'SW011', MESSAGE = 'rows left', DETAIL = v_rows;
    END IF;
    DELETE FROM entries WHERE run IN (SELECT id FROM runs WHERE stack = v_stack);
    DELETE FROM runs WHERE stack = v_stack;
    UPDATE stacks SET lineage = NULL, serial = 0, body = NULL WHERE id = v_stack;
    INSERT INTO marks AS m (token, writer, stack, number, at)
        VALUES (p_token, p_writer, v_stack, p_number, now_ms())
        ON CONFLICT (token, writer) DO UPDATE SET number = excluded.number, at = excluded.at;
    RETURN true;
END
$$;

-- Makes commits durable: all of them, or none. False where this very call (`p_writer`, `p_number`) was done before.
--
-- Arrays of one kind have the same length. A wave is a part that can be written at once: no object twice; of each run
-- consecutive entries. Waves count from 0, in ascending order. A row without a version is to be deleted.
CREATE FUNCTION commit_1(
    p_tenant text, p_name text, p_token bigint, p_writer uuid, p_number bigint,
    p_run uuid, p_status text, p_started bigint, p_finished bigint, p_run_body bytea,
    p_lineage uuid, p_outputs bytea,
    p_segment_runs uuid[], p_segment_numbers bigint[], p_segment_bodies bytea[],
    p_entry_waves integer[], p_entry_runs uuid[], p_entry_seqs bigint[], p_entry_bodies bytea[],
    p_row_waves integer[], p_row_commits integer[], p_row_objects uuid[], p_row_addresses text[],
    p_row_versions bigint[], p_row_bodies bytea[]
)
    RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT
    AS $$
DECLARE
    v_stack bigint;
    v_token bigint;
    v_lineage uuid;
    v_body bytea;
    v_has_record boolean;
    v_done bigint;
    v_changed integer[] := '{}';
    v_wave_changed integer[];
    v_puts bigint;
    v_written bigint;
    v_run bigint;
    v_run_stack bigint;
    v_end bigint;
    v_same boolean;
    v_bad record;
    v_part record;
    v_wave integer;
BEGIN
    SELECT id, token, lineage INTO v_stack, v_token, v_lineage FROM stacks
        WHERE tenant = p_tenant AND name = p_name FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SW001', MESSAGE = 'lease lost';
    END IF;
    -- Before the fence: what was done under the token stays done, whoever holds the stack by now.
    SELECT number INTO v_done FROM marks WHERE token = p_token AND writer = p_writer AND stack = v_stack;
    IF v_done >= p_number THEN
        RETURN false;
    END IF;
    IF v_token IS DISTINCT FROM p_token THEN
        RAISE EXCEPTION USING ERRCODE = 'SW001', MESSAGE = 'lease lost';
    END IF;
    INSERT INTO marks AS m (token, writer, stack, number, at)
        VALUES (p_token, p_writer, v_stack, p_number, now_ms())
        ON CONFLICT (token, writer) DO UPDATE SET number = excluded.number, at = excluded.at;

    IF p_run IS NOT NULL THEN
        SELECT stack INTO v_run_stack FROM runs WHERE run = p_run;
        IF FOUND AND v_run_stack <> v_stack THEN
            RAISE EXCEPTION USING ERRCODE = 'SW012', MESSAGE = 'another stack''s run', DETAIL = p_run;
        END IF;
        INSERT INTO runs AS r (run, stack, status, started, finished, body)
            VALUES (p_run, v_stack, p_status, p_started, p_finished, p_run_body)
            ON CONFLICT (run) DO UPDATE SET status = excluded.status, started = excluded.started,
                finished = excluded.finished, body = excluded.body
            WHERE r.stack = excluded.stack;
    END IF;

    FOR i IN 1..cardinality(p_segment_runs) LOOP
        SELECT id INTO v_run FROM runs WHERE run = p_segment_runs[i] AND stack = v_stack;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SW002', MESSAGE = 'unknown run', DETAIL = p_segment_runs[i];
        END IF;
        SELECT body = p_segment_bodies[i] INTO v_same FROM segments WHERE run = v_run AND number = p_segment_numbers[i];
        IF FOUND THEN
            CONTINUE WHEN v_same;
            RAISE EXCEPTION USING ERRCODE = 'SW003', MESSAGE = 'segment differs',
                DETAIL = p_segment_runs[i] || ' ' || p_segment_numbers[i];
        END IF;
        SELECT count(*) INTO v_end FROM segments WHERE run = v_run;
        IF p_segment_numbers[i] <> v_end THEN
            RAISE EXCEPTION USING ERRCODE = 'SW004', MESSAGE = 'segment gap',
                DETAIL = p_segment_runs[i] || ' ' || p_segment_numbers[i];
        END IF;
        INSERT INTO segments (run, number, body) VALUES (v_run, p_segment_numbers[i], p_segment_bodies[i]);
    END LOOP;

    IF cardinality(p_entry_waves) > 0 THEN
        FOR v_part IN
            SELECT e.wave, e.run, min(e.seq) AS first
            FROM unnest(p_entry_waves, p_entry_runs, p_entry_seqs) AS e (wave, run, seq)
            GROUP BY e.wave, e.run ORDER BY e.wave
        LOOP
            SELECT id INTO v_run FROM runs WHERE run = v_part.run AND stack = v_stack;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'SW002', MESSAGE = 'unknown run', DETAIL = v_part.run;
            END IF;
            SELECT coalesce(max(seq) + 1, 0) INTO v_end FROM entries WHERE run = v_run;
            IF v_part.first > v_end THEN
                RAISE EXCEPTION USING ERRCODE = 'SW006', MESSAGE = 'journal gap',
                    DETAIL = v_part.run || ' ' || v_part.first || ' ' || v_end;
            END IF;
            IF v_part.first < v_end THEN
                SELECT e.seq INTO v_bad
                    FROM unnest(p_entry_waves, p_entry_runs, p_entry_seqs, p_entry_bodies) AS e (wave, run, seq, body)
                    JOIN entries AS t ON t.run = v_run AND t.seq = e.seq
                    WHERE e.wave = v_part.wave AND e.run = v_part.run AND t.body <> e.body ORDER BY e.seq LIMIT 1;
                IF FOUND THEN
                    RAISE EXCEPTION USING ERRCODE = 'SW005', MESSAGE = 'entry differs',
                        DETAIL = v_part.run || ' ' || v_bad.seq;
                END IF;
            END IF;
            INSERT INTO entries (run, seq, body)
                SELECT v_run, e.seq, e.body
                FROM unnest(p_entry_waves, p_entry_runs, p_entry_seqs, p_entry_bodies) AS e (wave, run, seq, body)
                WHERE e.wave = v_part.wave AND e.run = v_part.run AND e.seq >= v_end;
        END LOOP;
    END IF;

    v_has_record := v_lineage IS NOT NULL;
    IF p_lineage IS NOT NULL THEN
        IF v_has_record AND v_lineage <> p_lineage THEN
            RAISE EXCEPTION USING ERRCODE = 'SW009', MESSAGE = 'lineage differs';
        END IF;
        UPDATE stacks SET lineage = p_lineage, body = p_outputs
            WHERE id = v_stack AND (lineage, body) IS DISTINCT FROM (p_lineage, p_outputs);
        IF FOUND THEN
            v_changed := array[0];
        END IF;
        v_has_record := true;
    END IF;

    IF cardinality(p_row_waves) > 0 THEN
        IF NOT v_has_record THEN
            RAISE EXCEPTION USING ERRCODE = 'SW010', MESSAGE = 'no stack';
        END IF;
        FOR v_wave IN 0..p_row_waves[cardinality(p_row_waves)] LOOP
            WITH offered AS MATERIALIZED (
                SELECT * FROM unnest(p_row_waves, p_row_commits, p_row_objects, p_row_addresses, p_row_versions, p_row_bodies)
                    AS o (wave, commit, object, address, version, body)
                WHERE o.wave = v_wave
            ), written AS (
                INSERT INTO objects AS t (stack, object, address, version, body)
                    SELECT v_stack, o.object, o.address, o.version, o.body FROM offered AS o
                    WHERE o.version IS NOT NULL ORDER BY o.object
                ON CONFLICT (stack, object) DO UPDATE
                    SET address = excluded.address, version = excluded.version, body = excluded.body
                    WHERE excluded.version > t.version
                RETURNING t.object
            ), deleted AS (
                DELETE FROM objects AS t USING offered AS o
                    WHERE t.stack = v_stack AND t.object = o.object AND o.version IS NULL
                RETURNING t.object
            ), changed AS (
                SELECT object FROM written UNION ALL SELECT object FROM deleted
            )
            SELECT coalesce((SELECT array_agg(DISTINCT o.commit) FROM offered AS o JOIN changed USING (object)), '{}'),
                    (SELECT count(version) FROM offered), (SELECT count(*) FROM written)
                INTO v_wave_changed, v_puts, v_written;
            v_changed := v_changed || v_wave_changed;
            IF v_written < v_puts THEN
                SELECT o.object, o.version AS offered, t.version AS stored INTO v_bad
                    FROM unnest(p_row_waves, p_row_objects, p_row_addresses, p_row_versions, p_row_bodies)
                        WITH ORDINALITY AS o (wave, object, address, version, body, place)
                    JOIN objects AS t ON t.stack = v_stack AND t.object = o.object
                    WHERE o.wave = v_wave AND (t.version > o.version
                        OR t.version = o.version AND (t.address <> o.address OR t.body <> o.body))
                    ORDER BY o.place LIMIT 1;
                IF FOUND AND v_bad.stored > v_bad.offered THEN
                    RAISE EXCEPTION USING ERRCODE = 'SW008', MESSAGE = 'stale row',
                        DETAIL = v_bad.object || ' ' || v_bad.stored || ' ' || v_bad.offered;
                ELSIF FOUND THEN
                    RAISE EXCEPTION USING ERRCODE = 'SW007', MESSAGE = 'row differs',
                        DETAIL = v_bad.object || ' ' || v_bad.offered;
                END IF;
            END IF;
        END LOOP;
    END IF;

    IF cardinality(v_changed) > 0 THEN
        UPDATE stacks SET serial = serial + (SELECT count(DISTINCT c) FROM unnest(v_changed) AS c) WHERE id = v_stack;
    END IF;
    RETURN true;
END
$$;
