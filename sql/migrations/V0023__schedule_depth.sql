-- More of schedules: hours of a season, another time zone while travelling, days on which everybody is away, time off.

alter table scheduling.schedule_rules
    add column valid_from date not null default '0001-01-01',
    add column valid_until date not null default '9999-12-31',
    drop constraint schedule_rules_pkey,
    add constraint schedule_rules_pkey primary key (tenant_id, provider_id, weekday, from_minute, valid_from),
    add constraint schedule_rules_validity check (valid_from <= valid_until);

comment on column scheduling.schedule_rules.valid_from is 'The first date of the rule. 0001-01-01: from ever.';
comment on column scheduling.schedule_rules.valid_until is 'The last date of the rule. 9999-12-31: for ever.';
grant insert (valid_from, valid_until) on scheduling.schedule_rules to appointd_api;


create table scheduling.schedule_travels (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    provider_id uuid not null,
    starts_on date not null,
    ends_on date not null,
    time_zone text not null,
    constraint schedule_travels_pkey primary key (tenant_id, provider_id, starts_on),
    constraint schedule_travels_schedule_fkey foreign key (tenant_id, provider_id)
        references scheduling.schedules (tenant_id, provider_id) on delete cascade,
    constraint schedule_travels_dates check (starts_on <= ends_on),
    constraint schedule_travels_time_zone_length check (length(time_zone) between 1 and 64)
);

comment on table scheduling.schedule_travels is 'Dates on which the hours of a provider are wall time of another zone.';
comment on column scheduling.schedule_travels.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.schedule_travels.provider_id is 'Who travels.';
comment on column scheduling.schedule_travels.starts_on is 'The first date.';
comment on column scheduling.schedule_travels.ends_on is 'The last date.';
comment on column scheduling.schedule_travels.time_zone is 'IANA time zone name, checked by the server.';

call app.build_wall('scheduling.schedule_travels', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.admit('scheduling.schedule_travels', 'appointd_owner', array['all']);
call operations.audit('scheduling.schedule_travels');
grant select, delete on scheduling.schedule_travels to appointd_api;
grant insert (provider_id, starts_on, ends_on, time_zone) on scheduling.schedule_travels to appointd_api;


create table scheduling.closures (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    starts_on date not null,
    ends_on date not null,
    name text not null,
    created_at timestamptz not null default now(),
    constraint closures_pkey primary key (tenant_id, id),
    constraint closures_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint closures_dates check (starts_on <= ends_on and ends_on - starts_on <= 366),
    constraint closures_name_length check (length(name) between 1 and 200)
);

comment on table scheduling.closures is 'Days on which the whole organization is closed, whatever the schedules say. Appointments that stand are kept.';
comment on column scheduling.closures.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.closures.id is 'UUIDv7, made by the server.';
comment on column scheduling.closures.starts_on is 'The first day, in the zone of the organization.';
comment on column scheduling.closures.ends_on is 'The last day, at most 366 later.';
comment on column scheduling.closures.name is 'What it is for, 1 to 200 characters. Customers may see it.';
comment on column scheduling.closures.created_at is 'When it was entered.';
create index closures_dates_idx on scheduling.closures (tenant_id, ends_on);

call app.build_wall('scheduling.closures', reads => 'viewer', inserts => 'manager', updates => 'manager', deletes => 'manager');
call app.admit('scheduling.closures', 'appointd_owner', array['all']);
call operations.audit('scheduling.closures');
grant select, delete on scheduling.closures to appointd_api;
grant insert (id, starts_on, ends_on, name), update (starts_on, ends_on, name) on scheduling.closures to appointd_api;


create table scheduling.time_off (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    provider_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    created_at timestamptz not null default now(),
    constraint time_off_pkey primary key (tenant_id, id),
    constraint time_off_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint time_off_time check (
        isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at and ends_at - starts_at <= interval '366 days'
    )
);

comment on table scheduling.time_off is
    'Time a provider is away, taken from working hours. Why is nobody''s business and not kept. Appointments that stand are kept.';
comment on column scheduling.time_off.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.time_off.id is 'UUIDv7, made by the server.';
comment on column scheduling.time_off.provider_id is 'Who is away.';
comment on column scheduling.time_off.starts_at is 'First instant.';
comment on column scheduling.time_off.ends_at is 'First instant after it, at most 366 days later: reading may look that far back and no further.';
comment on column scheduling.time_off.created_at is 'When it was entered.';
create index time_off_time_idx on scheduling.time_off (tenant_id, provider_id, ends_at);

call app.build_wall('scheduling.time_off', reads => 'viewer', inserts => 'staff', updates => 'staff', deletes => 'staff');
call app.admit('scheduling.time_off', 'appointd_owner', array['all']);
call operations.audit('scheduling.time_off');
grant select, delete on scheduling.time_off to appointd_api;
grant insert (id, provider_id, starts_at, ends_at), update (starts_at, ends_at) on scheduling.time_off to appointd_api;


-- How much there may be of what every listing of slots has to go through. Without these bounds one organization could make
-- its listings so dear that others wait for them. A bound refuses with SQLSTATE 23514 and a name, as a constraint would.
-- Whoever adds waits for whoever added before, at a lock of the provider or the organization, so that two at once do not
-- both find room for one; under read committed each statement of the trigger then counts what those have added.

create function scheduling.keep_schedules_short() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    owner record;
begin
    for owner in select distinct a.tenant_id, a.provider_id from added as a order by 1, 2 loop
        perform pg_advisory_xact_lock(hashtextextended(owner.tenant_id::text || owner.provider_id::text || 'schedule', 0));
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
    'Trigger, after rows of schedules came in: refuses more than 100 rules, 1,000 overrides or 100 travels of one provider.';

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
        perform pg_advisory_xact_lock(hashtextextended(owner.tenant_id::text || 'closures', 0));
        if (
            select count(*) > 366
            from scheduling.closures as c
            where
                c.tenant_id = owner.tenant_id
                and c.starts_on >= owner.year and c.starts_on < owner.year + interval '1 year'
                -- It ends after it starts: said once more for the index.
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
    'Trigger, after closures came in: refuses more than 366 that begin in one calendar year.';

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
        perform pg_advisory_xact_lock(hashtextextended(owner.tenant_id::text || owner.provider_id::text || 'time off', 0));
        if (
            select count(*) > 366
            from scheduling.time_off as t
            where
                t.tenant_id = owner.tenant_id and t.provider_id = owner.provider_id
                and t.starts_at >= owner.year and t.starts_at < owner.year + interval '1 year'
                -- It ends after it starts: said once more for the index.
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
    'Trigger, after time off came in: refuses more than 366 entries of one provider that begin in one calendar year (UTC).';

create trigger keep_few after insert on scheduling.time_off
referencing new table as added for each statement execute function scheduling.keep_time_off_few();
create trigger keep_few_update after update on scheduling.time_off
referencing new table as added for each statement execute function scheduling.keep_time_off_few();
