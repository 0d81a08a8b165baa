-- Plans and features are data. A plan limits how many of some things an organization may have, and says which features
-- it may use; an organization may switch off features of its plan. A limit that is null is no limit.
--
-- Features and plans are global: the same for every organization, readable after entering.

create table tenancy.features (
    feature text not null,
    description text not null,
    constraint features_pkey primary key (feature),
    constraint features_form check (feature ~ '^[a-z][a-z_]{0,49}$')
);

comment on table tenancy.features is 'What a plan can include.';
comment on column tenancy.features.feature is 'Its name in the API.';
comment on column tenancy.features.description is 'What it is, for people to read.';

alter table tenancy.features enable row level security;
alter table tenancy.features force row level security;
create policy entered_select on tenancy.features as permissive for select to appointd_api
    using (
        (select app.tenant()) is not null
        or (select app.account()) is not null
    );
create policy gate_select on tenancy.features as permissive for select to appointd_gate using (true);
create policy owner_select on tenancy.features as permissive for select to appointd_owner using (true);

grant select on tenancy.features to appointd_api;
grant select on tenancy.features to appointd_gate;


create table tenancy.plans (
    plan_type text not null,
    position integer not null,
    max_providers integer,
    max_members integer,
    max_storage_gb integer,
    max_api_keys integer,
    requests_per_minute integer not null,
    event_days integer not null default 90,
    constraint plans_pkey primary key (plan_type),
    constraint plans_position_key unique (position),
    constraint plans_form check (plan_type ~ '^[a-z][a-z_]{0,49}$'),
    constraint plans_limits check (
        max_providers >= 0
        and max_members >= 1
        and max_storage_gb >= 0
        and max_api_keys >= 0
        and requests_per_minute >= 1
        and event_days >= 1
    )
);

comment on table tenancy.plans is
    'What an organization can subscribe to. Changing a row changes it for every organization on that plan.';
comment on column tenancy.plans.plan_type is 'Its name in the API.';
comment on column tenancy.plans.position is 'Rank, from the smallest plan to the largest.';
comment on column tenancy.plans.max_providers is 'Maximum number of active providers; null: unlimited.';
comment on column tenancy.plans.max_members is
    'Maximum number of active members plus open invitations; null: unlimited. Customers do not count.';
comment on column tenancy.plans.max_storage_gb is 'Maximum size of files in gigabytes (10^9 bytes); null: unlimited.';
comment on column tenancy.plans.max_api_keys is
    'Maximum number of API keys that are neither revoked nor expired; null: unlimited.';
comment on column tenancy.plans.requests_per_minute is
    'Maximum number of requests a minute that the people and API keys of an organization together may send to one '
    'server. Each API key also has its own limit.';
comment on column tenancy.plans.event_days is 'For how many days events are kept.';

alter table tenancy.plans enable row level security;
alter table tenancy.plans force row level security;
create policy entered_select on tenancy.plans as permissive for select to appointd_api
    using (
        (select app.tenant()) is not null
        or (select app.account()) is not null
    );
create policy gate_select on tenancy.plans as permissive for select to appointd_gate using (true);
-- Plans are referred to by what is imported.
create policy owner_select on tenancy.plans as permissive for select to appointd_owner using (true);

grant select on tenancy.plans to appointd_api;
grant select on tenancy.plans to appointd_gate;


create table tenancy.plan_features (
    plan_type text not null,
    feature text not null,
    constraint plan_features_pkey primary key (plan_type, feature),
    constraint plan_features_plan_fkey foreign key (plan_type) references tenancy.plans (plan_type),
    constraint plan_features_feature_fkey foreign key (feature) references tenancy.features (feature)
);

comment on table tenancy.plan_features is 'Which plan includes which feature.';
comment on column tenancy.plan_features.plan_type is 'The plan.';
comment on column tenancy.plan_features.feature is 'The feature it includes.';

-- Deleting a feature looks for the plans that include it.
create index plan_features_feature_idx on tenancy.plan_features (feature);

alter table tenancy.plan_features enable row level security;
alter table tenancy.plan_features force row level security;
create policy entered_select on tenancy.plan_features as permissive for select to appointd_api
    using (
        (select app.tenant()) is not null
        or (select app.account()) is not null
    );
create policy gate_select on tenancy.plan_features as permissive for select to appointd_gate using (true);
create policy owner_select on tenancy.plan_features as permissive for select to appointd_owner using (true);

grant select on tenancy.plan_features to appointd_api;
grant select on tenancy.plan_features to appointd_gate;

-- The owner is subject to the policies too, and has none to insert by.
alter table tenancy.features no force row level security;
alter table tenancy.plans no force row level security;
alter table tenancy.plan_features no force row level security;

insert into tenancy.features (feature, description)
values
    ('appointments', 'Services, providers, schedules, appointments'),
    ('queues', 'Queues and tickets of people who walk in'),
    ('pwa', 'A web app of the organization''s own to install'),
    ('analytics', 'Figures about what happens in the organization'),
    ('integrations', 'Webhooks to other systems'),
    ('api_access', 'API keys for programs'),
    ('custom_branding', 'Own colours, style sheet and domains');

insert into tenancy.plans (
    plan_type, position, max_providers, max_members, max_storage_gb, max_api_keys, requests_per_minute,
    event_days
)
values
    ('basic', 1, 5, 20, 10, 5, 600, 90),
    ('pro', 2, 25, 100, 50, 20, 3000, 400),
    ('enterprise', 3, null, null, 500, 100, 12000, 800);

insert into tenancy.plan_features (plan_type, feature)
select p.plan_type, f.feature
from tenancy.plans as p
join tenancy.features as f
    on case p.plan_type
        when 'basic' then f.feature in ('appointments', 'queues', 'pwa')
        when 'pro' then f.feature in ('appointments', 'queues', 'pwa', 'analytics', 'integrations')
        else true
    end;

alter table tenancy.features force row level security;
alter table tenancy.plans force row level security;
alter table tenancy.plan_features force row level security;


create table tenancy.subscriptions (
    tenant_id uuid not null default app.tenant(),
    plan_type text not null default 'basic',
    disabled_features text[] not null default '{}',
    updated_at timestamptz not null default now(),
    constraint subscriptions_pkey primary key (tenant_id),
    constraint subscriptions_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint subscriptions_plan_fkey foreign key (plan_type) references tenancy.plans (plan_type)
);

comment on table tenancy.subscriptions is
    'The plan of an organization, one row each. Every change that counts towards a limit locks the row (for no key '
    'update), so that limits hold under races.';
comment on column tenancy.subscriptions.plan_type is 'Its plan.';
comment on column tenancy.subscriptions.disabled_features is
    'Features of the plan that the organization has switched off.';
comment on column tenancy.subscriptions.updated_at is 'When plan or features last changed.';

-- Deleting a plan looks for the organizations that have it.
create index subscriptions_plan_idx on tenancy.subscriptions (plan_type);

call app.build_wall('tenancy.subscriptions', reads => 'viewer', updates => 'owner');

-- The rows behind these policies are asked before the role is known.
create policy entering_select on tenancy.subscriptions as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()));
call app.admit('tenancy.subscriptions', 'appointd_gate', array['select', 'insert', 'update']);
call app.admit('tenancy.subscriptions', 'appointd_owner', array['all']);
call operations.audit('tenancy.subscriptions');
call app.date_changes('tenancy.subscriptions');

grant select, update (plan_type, disabled_features, updated_at) on tenancy.subscriptions to appointd_api;
grant select, insert (plan_type, disabled_features), update (updated_at) on tenancy.subscriptions to appointd_gate;

create function tenancy.counted(tenant uuid, what text) returns bigint
language plpgsql stable
as $$
begin
    return case what
        when 'providers' then (select count(*) from scheduling.providers as p where p.tenant_id = tenant and p.active)
        when 'members' then
            (
                select count(*)
                from tenancy.members as m
                where m.tenant_id = tenant and m.status = 'active' and m.role <> 'customer'
            )
            + (
                select count(*)
                from tenancy.invitations as i
                where i.tenant_id = tenant and i.role <> 'customer' and i.expires_at > now()
            )
        when 'api_keys' then
            (
                select count(*)
                from tenancy.api_keys as k
                where k.tenant_id = tenant and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
            )
    end;
end
$$;

comment on function tenancy.counted(uuid, text) is
    'Number of rows that a plan limits: providers, members or api_keys, in the tenant in the context.';

grant execute on function tenancy.counted(uuid, text) to appointd_api;

grant execute on function tenancy.counted(uuid, text) to appointd_gate;

-- A limit fails with SQLSTATE 23514 and the constraint name plan_limit_providers, plan_limit_members or
-- plan_limit_api_keys, as a constraint would.
create function tenancy.keep_within_plan() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    counted constant text := tg_argv[0];
    allowed integer;
    present bigint;
begin
    -- Concurrent changes wait for each other here, so that each counts the rows of the previous one.
    perform from tenancy.subscriptions as s where s.tenant_id = new.tenant_id for no key update;
    select case counted
        when 'providers' then p.max_providers
        when 'members' then p.max_members
        when 'api_keys' then p.max_api_keys
    end
    into allowed
    from tenancy.subscriptions as s
    join tenancy.plans as p on p.plan_type = s.plan_type
    where s.tenant_id = new.tenant_id;

    if allowed is null then
        return null;
    end if;
    present := tenancy.counted(new.tenant_id, counted);
    if present > allowed then
        raise exception 'the plan allows % %', allowed, counted
            using errcode = 'check_violation', constraint = 'plan_limit_' || counted;
    end if;
    return null;
end
$$;

comment on function tenancy.keep_within_plan() is
    'Trigger, after insert or update of a row that counts towards a limit of the plan: fails if the limit is exceeded.';

-- A smaller plan must have room for the existing rows.
create function tenancy.keep_within_new_plan() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    too_many text;
begin
    select case
        when p.max_providers < tenancy.counted(new.tenant_id, 'providers') then 'providers'
        when p.max_members < tenancy.counted(new.tenant_id, 'members') then 'members'
        -- On a plan without API keys they are kept and are not valid.
        when
            p.max_api_keys < tenancy.counted(new.tenant_id, 'api_keys')
            and exists (
                select from tenancy.plan_features as f where f.plan_type = p.plan_type and f.feature = 'api_access'
            )
            then 'api_keys'
    end
    into too_many
    from tenancy.plans as p
    where p.plan_type = new.plan_type;
    if too_many is not null then
        raise exception 'more % than the plan allows', too_many
            using errcode = 'check_violation', constraint = 'plan_limit_' || too_many;
    end if;
    return null;
end
$$;

comment on function tenancy.keep_within_new_plan() is
    'Trigger, after a change of plan: fails if the existing rows exceed the new plan.';

create trigger keep_within_new_plan after update of plan_type on tenancy.subscriptions
for each row when (new.plan_type <> old.plan_type) execute function tenancy.keep_within_new_plan();

-- Both look at rows that their caller may not see.
grant create on schema tenancy to appointd_gate;
alter function tenancy.keep_within_plan() owner to appointd_gate;
alter function tenancy.keep_within_new_plan() owner to appointd_gate;
revoke create on schema tenancy from appointd_gate;
-- The role that makes a trigger must be allowed to call its function. Later files do, for what counts towards a limit.
set local role appointd_gate;
grant execute on function tenancy.keep_within_plan() to appointd_owner;
reset role;
