-- Where work waits: functions of the gate for the worker, which tell ids of organizations and nothing else. And the
-- regular work of the whole server, of which the gate keeps the rows.

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema messaging, tenancy to appointd_gate;
set local role appointd_gate;

create function messaging.tenants_with_jobs(lane text, after_tenant uuid, most integer) returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    last uuid := coalesce(after_tenant, '00000000-0000-0000-0000-000000000000');
    listed integer := 0;
begin
    perform app.stay_outside();
    while listed < most loop
        -- One probe of the index for each organization, however many jobs it has.
        select j.tenant_id into last
        from messaging.jobs as j
        where j.state = 'ready' and j.tenant_id > last and j.lane = tenants_with_jobs.lane
        order by j.tenant_id
        limit 1;
        exit when last is null;
        if exists (select from tenancy.organizations as t where t.id = last and t.status = 'active') then
            listed := listed + 1;
            return next last;
        end if;
    end loop;
end
$$;

comment on function messaging.tenants_with_jobs(text, uuid, integer) is
    'The active organizations after the given one, in the order of their ids, that have a job of the lane that is '
    'ready; at most so many.';

create function messaging.tenants_to_wake(most integer) returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select w.tenant_id
    from (
        (
            select j.tenant_id
            from messaging.jobs as j
            where j.state = 'scheduled' and j.run_at <= statement_timestamp()
            order by j.run_at
            limit 10000
        )
        union
        (
            select j.tenant_id
            from messaging.jobs as j
            where j.state = 'running' and j.lease_until <= statement_timestamp()
            order by j.lease_until
            limit 10000
        )
    ) as w
    join tenancy.organizations as t on t.id = w.tenant_id and t.status = 'active'
    limit coalesce(most, 0);
end
$$;

comment on function messaging.tenants_to_wake(integer) is
    'Active organizations with scheduled jobs that are due, or with jobs whose worker has vanished; at most so many.';

create function messaging.work_due(out publish boolean, out live boolean, out bulk boolean, out wake boolean)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    publish := exists (select from messaging.outbox as o);
    live := exists (select from messaging.jobs as j where j.state = 'ready' and j.lane = 'live');
    bulk := exists (select from messaging.jobs as j where j.state = 'ready' and j.lane = 'bulk');
    wake := exists (
        select from messaging.jobs as j where j.state = 'scheduled' and j.run_at <= statement_timestamp()
    )
    or exists (
        select from messaging.jobs as j where j.state = 'running' and j.lease_until <= statement_timestamp()
    );
end
$$;

comment on function messaging.work_due() is
    'Whether any organization has events to publish, jobs that are ready (by lane), and jobs to wake: what an idle '
    'worker asks, in one statement.';

create function messaging.begin_tick(name text, tick text, due_at timestamptz, too_late boolean, lease interval)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    insert into messaging.cron_runs as r (name, tick, due_at, outcome, lease_until, finished_at)
    values (
        begin_tick.name, begin_tick.tick, begin_tick.due_at,
        case when too_late then 'missed' else 'started' end,
        case when not too_late then now() + lease end,
        case when too_late then now() end
    )
    -- Begun by another worker, and by now it would be done.
    on conflict on constraint cron_runs_pkey do update
    set lease_until = excluded.lease_until, started_at = now()
    where r.outcome = 'started' and r.lease_until <= now() and not begin_tick.too_late;
    return found and not too_late;
end
$$;

comment on function messaging.begin_tick(text, text, timestamptz, boolean, interval) is
    'Begins what is done regularly: true for one of all workers that call it for the same tick, and for another one if '
    'that has vanished. Too late: notes that it was missed.';

create function messaging.end_tick(name text, tick text, failed boolean, kept interval) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    update messaging.cron_runs as r
    set outcome = case when failed then 'failed' else 'done' end, lease_until = null, finished_at = now()
    where r.name = end_tick.name and r.tick = end_tick.tick and r.outcome = 'started';
    delete from messaging.cron_runs as r
    where r.name = end_tick.name and r.due_at < now() - kept and r.outcome <> 'started';
end
$$;

comment on function messaging.end_tick(text, text, boolean, interval) is
    'Ends what messaging.begin_tick began, and deletes rows of the same name that are older than `kept`.';

create function messaging.work_waiting()
returns table (kind text, state text, jobs bigint, oldest_at timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select j.kind, j.state, count(*), min(j.run_at)
    from messaging.jobs as j
    group by j.kind, j.state
    union all
    select 'outbox', 'ready', count(*), min(o.occurred_at)
    from messaging.outbox as o;
end
$$;

comment on function messaging.work_waiting() is
    'The number of jobs of all organizations together, by kind and state, and since when the oldest is due; in '
    'the last row, events that are not published. For the metrics of the operator.';

create function tenancy.active_organizations(after_tenant uuid, most integer) returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select o.id
    from tenancy.organizations as o
    where
        o.id > coalesce(after_tenant, '00000000-0000-0000-0000-000000000000')
        and o.status = 'active'
    order by o.id
    limit coalesce(most, 0);
end
$$;

comment on function tenancy.active_organizations(uuid, integer) is
    'The ids of active organizations after the given one, in their order; at most so many. For the worker, which adds '
    'jobs to each.';

grant execute on function
    messaging.tenants_with_jobs(text, uuid, integer),
    messaging.tenants_to_wake(integer),
    messaging.work_due(),
    messaging.begin_tick(text, text, timestamptz, boolean, interval),
    messaging.end_tick(text, text, boolean, interval),
    messaging.work_waiting(),
    tenancy.active_organizations(uuid, integer)
to appointd_worker;
reset role;
revoke create on schema messaging, tenancy from appointd_gate;

-- What the worker does regularly in each organization: deletes what is old.
grant usage on schema operations, identity to appointd_worker;
call app.admit('operations.idempotency_keys', 'appointd_worker', array['select', 'delete']);
grant select (tenant_id, asked_at), delete on operations.idempotency_keys to appointd_worker;

-- What it does regularly for the whole server.
set local role appointd_gate;
grant execute on function identity.purge_expired() to appointd_worker;
reset role;
