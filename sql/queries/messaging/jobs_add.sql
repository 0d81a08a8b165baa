-- $1 kind, $2 lane, $3 key or null, $4 payload, $5 when it is due or null: now, $6 maximum number of attempts
--
-- Returns no row if a job of the kind has the key already.
--
-- Sent as appointd_worker.
insert into messaging.jobs (kind, lane, key, payload, state, run_at, max_attempts)
values ($1, $2, $3, $4, case when $5 > now() then 'scheduled' else 'ready' end, coalesce($5, now()), $6)
on conflict (tenant_id, kind, key) where key is not null and state <> 'dead' do nothing
returning id
