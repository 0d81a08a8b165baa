-- How many rows of working hours there may be. Every listing of slots reads all of them: without these bounds one
-- organization could make its listings so expensive that others wait for them. A bound refuses with SQLSTATE 23514 and
-- a constraint name, as a constraint would. Each insert waits for the previous one at a lock of the provider or the
-- organization, so that two at once do not both take the last place; under read committed the count that follows sees
-- what the previous one added.

create function scheduling.keep_schedules_short() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in select distinct a.tenant_id, a.provider_id from added as a order by 1, 2 loop
        perform pg_advisory_xact_lock(app.lock_key(owner.tenant_id, owner.provider_id::text || 'schedule'));
        if (case tg_table_name
            when 'schedule_rules' then (
                select count(*) > 100
                from scheduling.schedule_rules as r
                where r.tenant_id = owner.tenant_id and r.provider_id = owner.provider_id
            )
            when 'schedule_overrides' then (
                select count(*) > 1000
                from scheduling.schedule_overrides as o
                where o.tenant_id = owner.tenant_id and o.provider_id = owner.provider_id
            )
            when 'schedule_travels' then (
                select count(*) > 100
                from scheduling.schedule_travels as t
                where t.tenant_id = owner.tenant_id and t.provider_id = owner.provider_id
            )
        end) then
            raise exception 'too many rows of one schedule'
                using errcode = 'check_violation', constraint = tg_table_name || '_too_many';
        end if;
    end loop;
    return null;
end
$$;

comment on function scheduling.keep_schedules_short() is
    'Trigger, after rows of schedules were inserted: fails on more than 100 rules, 1,000 overrides or 100 travels of '
    'one provider.';

create trigger keep_short after insert on scheduling.schedule_rules
referencing new table as added for each statement execute function scheduling.keep_schedules_short();
create trigger keep_short after insert on scheduling.schedule_overrides
referencing new table as added for each statement execute function scheduling.keep_schedules_short();
create trigger keep_short after insert on scheduling.schedule_travels
referencing new table as added for each statement execute function scheduling.keep_schedules_short();

create function scheduling.keep_closures_few() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in
        select distinct a.tenant_id, make_date(extract(year from a.starts_on)::integer, 1, 1) as year
        from added as a
        order by 1, 2
    loop
        perform pg_advisory_xact_lock(app.lock_key(owner.tenant_id, 'closures'));
        if (
            select count(*) > 366
            from scheduling.closures as c
            where
                c.tenant_id = owner.tenant_id
                and c.starts_on >= owner.year and c.starts_on < owner.year + interval '1 year'
                -- Implied by starts before ends; repeated for the index.
                and c.ends_on >= owner.year
        ) then
            raise exception 'too many closures of one year'
                using errcode = 'check_violation', constraint = 'closures_too_many';
        end if;
    end loop;
    return null;
end
$$;

comment on function scheduling.keep_closures_few() is
    'Trigger, after closures were inserted or updated: fails on more than 366 that begin in one calendar year.';

create trigger keep_few after insert on scheduling.closures
referencing new table as added for each statement execute function scheduling.keep_closures_few();
create trigger keep_few_update after update on scheduling.closures
referencing new table as added for each statement execute function scheduling.keep_closures_few();

create function scheduling.keep_time_off_few() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in
        select distinct a.tenant_id, a.provider_id, date_trunc('year', a.starts_at, 'UTC') as year
        from added as a
        order by 1, 2, 3
    loop
        perform pg_advisory_xact_lock(app.lock_key(owner.tenant_id, owner.provider_id::text || 'time off'));
        if (
            select count(*) > 366
            from scheduling.time_off as t
            where
                t.tenant_id = owner.tenant_id and t.provider_id = owner.provider_id
                and t.starts_at >= owner.year and t.starts_at < owner.year + interval '1 year'
                -- Implied by starts before ends; repeated for the index.
                and t.ends_at > owner.year
        ) then
            raise exception 'too much time off of one year'
                using errcode = 'check_violation', constraint = 'time_off_too_many';
        end if;
    end loop;
    return null;
end
$$;

comment on function scheduling.keep_time_off_few() is
    'Trigger, after time off was inserted or updated: fails on more than 366 entries of one provider that begin in '
    'one calendar year (UTC).';

create trigger keep_few after insert on scheduling.time_off
referencing new table as added for each statement execute function scheduling.keep_time_off_few();
create trigger keep_few_update after update on scheduling.time_off
referencing new table as added for each statement execute function scheduling.keep_time_off_few();
