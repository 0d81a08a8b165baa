-- Schedules: when a provider works. Wall time in an IANA zone; the server turns it into instants in one place
-- (src/scheduling/wall_time.rs), never PostgreSQL, because the two differ on the day clocks go back.
--
-- Times of day are minutes after midnight: the type `time` has no room for an interval that ends on the next day.

create table scheduling.schedules (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    provider_id uuid not null,
    time_zone text not null,
    updated_at timestamptz not null default now(),
    constraint schedules_pkey primary key (tenant_id, provider_id),
    constraint schedules_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint schedules_time_zone_length check (length(time_zone) between 1 and 64)
);

comment on table scheduling.schedules is 'The working hours of a provider. A provider without one has no hours and is never offered.';
comment on column scheduling.schedules.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.schedules.provider_id is 'Whose hours these are.';
comment on column scheduling.schedules.time_zone is 'IANA time zone name, checked by the server, that rules and overrides are wall time in.';
comment on column scheduling.schedules.updated_at is 'When the schedule was last replaced.';

call app.build_wall('scheduling.schedules', reads => 'viewer', inserts => 'manager', updates => 'manager');

grant select on scheduling.schedules to appointd_api;
grant insert (provider_id, time_zone), update (time_zone, updated_at) on scheduling.schedules to appointd_api;


create table scheduling.schedule_rules (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    provider_id uuid not null,
    weekday smallint not null,
    from_minute smallint not null,
    to_minute smallint not null,
    constraint schedule_rules_pkey primary key (tenant_id, provider_id, weekday, from_minute),
    constraint schedule_rules_schedule_fkey foreign key (tenant_id, provider_id)
        references scheduling.schedules (tenant_id, provider_id) on delete cascade,
    constraint schedule_rules_weekday check (weekday between 1 and 7),
    constraint schedule_rules_from_minute check (from_minute between 0 and 1439),
    constraint schedule_rules_to_minute check (to_minute between 0 and 1440)
);

comment on table scheduling.schedule_rules is 'Hours of every week. Several intervals on one weekday are one row each.';
comment on column scheduling.schedule_rules.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.schedule_rules.provider_id is 'Whose hours these are.';
comment on column scheduling.schedule_rules.weekday is 'ISO 8601: 1 is Monday, 7 is Sunday. The day the interval begins.';
comment on column scheduling.schedule_rules.from_minute is 'First minute of the interval, counted from midnight.';
comment on column scheduling.schedule_rules.to_minute is 'First minute after the interval, counted from midnight; 1440 is the end of the day. Not after from_minute: on the next day.';

call app.build_wall('scheduling.schedule_rules', reads => 'viewer', inserts => 'manager', deletes => 'manager');

grant select, delete on scheduling.schedule_rules to appointd_api;
grant insert (provider_id, weekday, from_minute, to_minute) on scheduling.schedule_rules to appointd_api;


create table scheduling.schedule_overrides (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    provider_id uuid not null,
    date date not null,
    from_minutes smallint[] not null,
    to_minutes smallint[] not null,
    constraint schedule_overrides_pkey primary key (tenant_id, provider_id, date),
    constraint schedule_overrides_schedule_fkey foreign key (tenant_id, provider_id)
        references scheduling.schedules (tenant_id, provider_id) on delete cascade,
    constraint schedule_overrides_pairs check (cardinality(from_minutes) = cardinality(to_minutes)),
    -- What a listing of slots computes with is bounded: so many intervals a date and, by the key, one row a date.
    constraint schedule_overrides_intervals check (cardinality(from_minutes) <= 24),
    constraint schedule_overrides_from_minutes check (0 <= all (from_minutes) and 1439 >= all (from_minutes)),
    constraint schedule_overrides_to_minutes check (0 <= all (to_minutes) and 1440 >= all (to_minutes))
);

comment on table scheduling.schedule_overrides is 'Dates on which other hours replace those of the weekly rules.';
comment on column scheduling.schedule_overrides.tenant_id is 'The organization. Filled from the context; the server has no right to write it.';
comment on column scheduling.schedule_overrides.provider_id is 'Whose hours these are.';
comment on column scheduling.schedule_overrides.date is 'The date, in the zone of the schedule, on which the replaced and the replacing intervals begin.';
comment on column scheduling.schedule_overrides.from_minutes is 'First minute of each interval, counted from midnight; at most 24. Empty: closed all day.';
comment on column scheduling.schedule_overrides.to_minutes is 'First minute after each interval, as in schedule_rules, in the same order.';

call app.build_wall('scheduling.schedule_overrides', reads => 'viewer', inserts => 'manager', deletes => 'manager');

grant select, delete on scheduling.schedule_overrides to appointd_api;
grant insert (provider_id, date, from_minutes, to_minutes) on scheduling.schedule_overrides to appointd_api;
