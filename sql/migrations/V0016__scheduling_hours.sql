-- When a provider works: weekly hours, dates with other hours, travels, days off of the organization, time off. Hours
-- are wall time in an IANA zone. The server converts them to instants in one place (src/scheduling/hours/wall_time.rs),
-- never PostgreSQL, because the two differ on the day that clocks go back.
--
-- Times of day are minutes after midnight: the type `time` cannot hold an interval that ends on the next day.

create table scheduling.schedules (
    tenant_id uuid not null default app.tenant(),
    provider_id uuid not null,
    time_zone text not null,
    updated_at timestamptz not null default now(),
    constraint schedules_pkey primary key (tenant_id, provider_id),
    constraint schedules_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint schedules_time_zone_length check (length(time_zone) between 1 and 64)
);

comment on table scheduling.schedules is
    'Working hours of a provider. A provider without a schedule has no hours and is never offered.';
comment on column scheduling.schedules.provider_id is 'Whose hours these are.';
comment on column scheduling.schedules.time_zone is
    'IANA time zone name, checked by the server. Rules and overrides are wall time in it.';
comment on column scheduling.schedules.updated_at is 'When the schedule was last replaced.';

call app.build_wall('scheduling.schedules', reads => 'viewer', inserts => 'manager', updates => 'manager');
call app.open_to('scheduling.schedules', 'scheduler', 'select');
call app.open_to('scheduling.schedules', 'guest,customer', 'select');
call app.admit('scheduling.schedules', 'appointd_owner', array['all']);
call operations.audit('scheduling.schedules');

grant select, insert (provider_id, time_zone), update (time_zone, updated_at) on scheduling.schedules to appointd_api;


create table scheduling.schedule_rules (
    tenant_id uuid not null default app.tenant(),
    provider_id uuid not null,
    weekday smallint not null,
    from_minute smallint not null,
    to_minute smallint not null,
    valid_from date not null default '0001-01-01',
    valid_until date not null default '9999-12-31',
    constraint schedule_rules_pkey primary key (tenant_id, provider_id, weekday, from_minute, valid_from),
    constraint schedule_rules_schedule_fkey foreign key (tenant_id, provider_id)
        references scheduling.schedules (tenant_id, provider_id) on delete cascade,
    constraint schedule_rules_weekday check (weekday between 1 and 7),
    constraint schedule_rules_from_minute check (from_minute between 0 and 1439),
    constraint schedule_rules_to_minute check (to_minute between 0 and 1440),
    constraint schedule_rules_validity check (valid_from <= valid_until)
);

comment on table scheduling.schedule_rules is 'Weekly hours, one row per interval.';
comment on column scheduling.schedule_rules.provider_id is 'Whose hours these are.';
comment on column scheduling.schedule_rules.weekday is
    'ISO 8601: 1 is Monday, 7 is Sunday. The day on which the interval begins.';
comment on column scheduling.schedule_rules.from_minute is 'First minute of the interval, counted from midnight.';
comment on column scheduling.schedule_rules.to_minute is
    'First minute after the interval, counted from midnight; 1440 is the end of the day. If not after from_minute, it '
    'is on the next day.';
comment on column scheduling.schedule_rules.valid_from is 'First date of the rule. 0001-01-01: no bound.';
comment on column scheduling.schedule_rules.valid_until is 'Last date of the rule. 9999-12-31: no bound.';

call app.build_wall('scheduling.schedule_rules', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.open_to('scheduling.schedule_rules', 'scheduler', 'select');
call app.open_to('scheduling.schedule_rules', 'guest,customer', 'select');
call app.admit('scheduling.schedule_rules', 'appointd_owner', array['all']);
call operations.audit('scheduling.schedule_rules');

grant select, insert (provider_id, weekday, from_minute, to_minute, valid_from, valid_until), delete
on scheduling.schedule_rules to appointd_api;


create function scheduling.binary_form(minutes smallint[]) returns bytea
language sql immutable parallel safe
return array_send(minutes);

comment on function scheduling.binary_form(smallint[]) is
    'The array as the binary protocol sends it. array_send is only declared stable, because it is for any type.';

grant execute on function scheduling.binary_form(smallint[]) to appointd_api;

create table scheduling.schedule_overrides (
    tenant_id uuid not null default app.tenant(),
    provider_id uuid not null,
    date date not null,
    from_minutes smallint[] not null,
    to_minutes smallint[] not null,
    from_bytes bytea not null generated always as (scheduling.binary_form(from_minutes)) stored,
    to_bytes bytea not null generated always as (scheduling.binary_form(to_minutes)) stored,
    constraint schedule_overrides_pkey primary key (tenant_id, provider_id, date),
    constraint schedule_overrides_schedule_fkey foreign key (tenant_id, provider_id)
        references scheduling.schedules (tenant_id, provider_id) on delete cascade,
    constraint schedule_overrides_pairs check (cardinality(from_minutes) = cardinality(to_minutes)),
    -- Bounds what a listing of slots has to read: so many intervals a date and, by the key, one row a date.
    constraint schedule_overrides_intervals check (cardinality(from_minutes) <= 24),
    constraint schedule_overrides_from_minutes check (0 <= all (from_minutes) and 1439 >= all (from_minutes)),
    constraint schedule_overrides_to_minutes check (0 <= all (to_minutes) and 1440 >= all (to_minutes))
);

comment on table scheduling.schedule_overrides is 'Dates on which other hours replace those of the weekly rules.';
comment on column scheduling.schedule_overrides.provider_id is 'Whose hours these are.';
comment on column scheduling.schedule_overrides.date is
    'The date, in the zone of the schedule, on which the replaced and the replacing intervals begin.';
comment on column scheduling.schedule_overrides.from_minutes is
    'First minute of each interval, counted from midnight; at most 24. Empty: closed all day.';
comment on column scheduling.schedule_overrides.to_minutes is
    'First minute after each interval, as in schedule_rules, in the same order.';
-- Arrays of different lengths fit into an array only as jsonb, which is slow to write and to read, or in their binary
-- form. A listing of slots reads many: it is made once, when they are written.
comment on column scheduling.schedule_overrides.from_bytes is 'from_minutes as statements return it.';
comment on column scheduling.schedule_overrides.to_bytes is 'to_minutes as statements return it.';

call app.build_wall('scheduling.schedule_overrides', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.open_to('scheduling.schedule_overrides', 'scheduler', 'select');
call app.open_to('scheduling.schedule_overrides', 'guest,customer', 'select');
call app.admit('scheduling.schedule_overrides', 'appointd_owner', array['all']);
call operations.audit('scheduling.schedule_overrides');

grant select, insert (provider_id, date, from_minutes, to_minutes), delete
on scheduling.schedule_overrides to appointd_api;


create table scheduling.schedule_travels (
    tenant_id uuid not null default app.tenant(),
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

comment on table scheduling.schedule_travels is 'Dates on which the hours of a provider are wall time in another zone.';
comment on column scheduling.schedule_travels.provider_id is 'The provider.';
comment on column scheduling.schedule_travels.starts_on is 'The first date.';
comment on column scheduling.schedule_travels.ends_on is 'The last date.';
comment on column scheduling.schedule_travels.time_zone is 'IANA time zone name, checked by the server.';

call app.build_wall('scheduling.schedule_travels', reads => 'viewer', inserts => 'manager', deletes => 'manager');
call app.open_to('scheduling.schedule_travels', 'scheduler', 'select');
call app.open_to('scheduling.schedule_travels', 'guest,customer', 'select');
call app.admit('scheduling.schedule_travels', 'appointd_owner', array['all']);
call operations.audit('scheduling.schedule_travels');

grant select, insert (provider_id, starts_on, ends_on, time_zone), delete
on scheduling.schedule_travels to appointd_api;


create table scheduling.closures (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    starts_on date not null,
    ends_on date not null,
    name text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint closures_pkey primary key (tenant_id, id),
    constraint closures_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint closures_dates check (starts_on <= ends_on and ends_on - starts_on <= 366),
    constraint closures_name_length check (length(name) between 1 and 200)
);

comment on table scheduling.closures is
    'Days on which the whole organization is closed, regardless of schedules. Existing appointments are kept.';
comment on column scheduling.closures.id is 'UUIDv7, made by the server.';
comment on column scheduling.closures.starts_on is 'The first day, in the zone of the organization.';
comment on column scheduling.closures.ends_on is 'The last day, at most 366 days after the first.';
comment on column scheduling.closures.name is 'Reason, 1 to 200 characters. Customers may see it.';
comment on column scheduling.closures.created_at is 'When it was entered.';
comment on column scheduling.closures.updated_at is 'When it was last changed.';

create index closures_dates_idx on scheduling.closures (tenant_id, ends_on);

call app.build_wall(
    'scheduling.closures', reads => 'viewer', inserts => 'manager', updates => 'manager', deletes => 'manager'
);
call app.open_to('scheduling.closures', 'scheduler', 'select');
call app.open_to('scheduling.closures', 'guest,customer', 'select');
call app.admit('scheduling.closures', 'appointd_owner', array['all']);
call operations.audit('scheduling.closures');
call app.date_changes('scheduling.closures');

grant select, insert (id, starts_on, ends_on, name), update (starts_on, ends_on, name, updated_at), delete
on scheduling.closures to appointd_api;


create table scheduling.time_off (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    provider_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint time_off_pkey primary key (tenant_id, id),
    constraint time_off_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint time_off_time check (
        isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at and ends_at - starts_at <= interval '366 days'
    )
);

comment on table scheduling.time_off is
    'Time off of a provider, taken from working hours. No reason is stored. Existing appointments are kept.';
comment on column scheduling.time_off.id is 'UUIDv7, made by the server.';
comment on column scheduling.time_off.provider_id is 'The provider.';
comment on column scheduling.time_off.starts_at is 'First instant.';
comment on column scheduling.time_off.ends_at is
    'First instant after it, at most 366 days later: queries may look back that far and no further.';
comment on column scheduling.time_off.created_at is 'When it was entered.';
comment on column scheduling.time_off.updated_at is 'When it was last changed.';

create index time_off_time_idx on scheduling.time_off (tenant_id, provider_id, ends_at);

call app.build_wall(
    'scheduling.time_off', reads => 'viewer', inserts => 'staff', updates => 'staff', deletes => 'staff'
);
call app.open_to('scheduling.time_off', 'scheduler', 'select');
call app.open_to('scheduling.time_off', 'guest,customer', 'select');
call app.admit('scheduling.time_off', 'appointd_owner', array['all']);
call operations.audit('scheduling.time_off');
call app.date_changes('scheduling.time_off');

grant select, insert (id, provider_id, starts_at, ends_at), update (starts_at, ends_at, updated_at), delete
on scheduling.time_off to appointd_api;
