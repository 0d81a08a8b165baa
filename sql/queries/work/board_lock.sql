-- $1 tenant_id; waits for other moves on the board, and makes them wait: positions are read in the next statement
select count(pg_advisory_xact_lock(app.lock_key($1, 'work.board'))) as locked
