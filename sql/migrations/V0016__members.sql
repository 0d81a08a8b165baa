-- Members come by invitation and go by removal; the last owner of an organization never goes. Customers are members
-- too, with a role below all others that no policy for the people who work there admits.

-- Stable, because policies call it: nothing a policy asks may be computed once and kept in a plan.
create function app.roles_up_to(highest text) returns text[]
language sql stable parallel safe
return case highest
    when 'customer' then array['customer']
    when 'viewer' then array['customer', 'viewer']
    when 'staff' then array['customer', 'viewer', 'staff']
    when 'manager' then array['customer', 'viewer', 'staff', 'manager']
    when 'admin' then array['customer', 'viewer', 'staff', 'manager', 'admin']
    when 'owner' then array['customer', 'viewer', 'staff', 'manager', 'admin', 'owner']
end;

comment on function app.roles_up_to(text) is
    'The roles that rank at most as high as the given one: what its holder may give, and take away. Null for an unknown role.';
grant execute on function app.roles_up_to(text) to appointd_api, appointd_gate;

create function app.lower_role(one text, other text) returns text
language sql stable parallel safe
return case when one = any (app.roles_up_to(other)) then one when other = any (app.roles_up_to(one)) then other end;

comment on function app.lower_role(text, text) is 'The lower of two roles. Null if either is null or unknown.';
grant execute on function app.lower_role(text, text) to appointd_api, appointd_gate;

create function app.may_hand_out() returns boolean
language plpgsql stable
as $$
begin
    return nullif(current_setting('app.account_id', true), '') is null
        or exists (
            select
            from identity.accounts as a
            where a.id = nullif(current_setting('app.account_id', true), '')::uuid and a.email_verified_at is not null
        );
end
$$;

comment on function app.may_hand_out() is
    'Whether the actor in the context may send invitations and make API keys: an account whose e-mail address is verified, or an API key (only such an account could make it).';
grant execute on function app.may_hand_out() to appointd_api;

-- A customer is no lower kind of viewer: an operation for customers admits customers alone.
create or replace function app.roles_from(lowest text) returns text[]
language sql immutable parallel safe
return case lowest
    when 'customer' then array['customer']
    when 'viewer' then array['viewer', 'staff', 'manager', 'admin', 'owner']
    when 'staff' then array['staff', 'manager', 'admin', 'owner']
    when 'manager' then array['manager', 'admin', 'owner']
    when 'admin' then array['admin', 'owner']
    when 'owner' then array['owner']
end;

comment on function app.roles_from(text) is
    'The roles of members that rank at least as high as the given one: viewer < staff < manager < admin < owner; '
    'customers are for themselves. Null for an unknown role.';

alter table tenancy.members
    add column status text not null default 'active',
    add column updated_at timestamptz not null default now(),
    drop constraint members_role,
    add constraint members_role check (role in ('owner', 'admin', 'manager', 'staff', 'viewer', 'customer')),
    add constraint members_status check (status in ('active', 'suspended'));

comment on table tenancy.members is 'Who belongs to which organization: who works there, and what they may do, and who is a customer with an account.';
comment on column tenancy.members.role is
    'owner > admin > manager > staff > viewer; or customer. The policies of every table name the roles they admit.';
comment on column tenancy.members.status is 'active, or suspended: still a member, and not let in.';
comment on column tenancy.members.updated_at is 'When role or status last changed.';

create policy admin_update on tenancy.members as permissive for update to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{admin,owner}')
        and role = any (app.roles_up_to((select current_setting('app.role', true))))
    )
    with check (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{admin,owner}')
        and role = any (app.roles_up_to((select current_setting('app.role', true))))
    );
create policy admin_delete on tenancy.members as permissive for delete to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{admin,owner}')
        and role = any (app.roles_up_to((select current_setting('app.role', true))))
    );
-- An account sees its own memberships, before it has entered any tenant too.
drop policy entering_select on tenancy.members;
create policy own_select on tenancy.members as permissive for select to appointd_api
    using (account_id = (select nullif(current_setting('app.account_id', true), '')::uuid));
create policy gate_tenant_select on tenancy.members as permissive for select to appointd_gate
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));

grant update (role, status, updated_at), delete on tenancy.members to appointd_api;

-- Colleagues see each other's names. Through the one membership they share, and no other.
create policy colleagues_select on identity.accounts as permissive for select to appointd_api
    using (
        (select current_setting('app.role', true)) = any ('{viewer,staff,manager,admin,owner}')
        and exists (
            select
            from tenancy.members as m
            where m.tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and m.account_id = accounts.id
        )
    );

-- The rule no check constraint can say, in the shape of one: SQLSTATE 23514, members_last_owner.
create function tenancy.keep_an_owner() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Two owners who leave at once wait for each other here; the second then sees what the first has done.
    perform from tenancy.subscriptions as s where s.tenant_id = old.tenant_id for no key update;
    if not exists (
        select
        from tenancy.members as m
        where m.tenant_id = old.tenant_id and m.role = 'owner' and m.status = 'active'
    )
    and exists (select from tenancy.organizations as o where o.id = old.tenant_id and o.status <> 'deleted') then
        raise exception 'an organization has an active owner'
            using errcode = 'check_violation', constraint = 'members_last_owner';
    end if;
    return null;
end
$$;

comment on function tenancy.keep_an_owner() is 'Trigger, after an owner went or is none any more: refuses where nobody is left.';

create trigger keep_an_owner_update after update of role, status on tenancy.members
for each row when (old.role = 'owner' and (new.role <> 'owner' or new.status <> 'active'))
execute function tenancy.keep_an_owner();
create trigger keep_an_owner_delete after delete on tenancy.members
for each row when (old.role = 'owner')
execute function tenancy.keep_an_owner();


-- Looking whether the rows there are fit the key is a query, and the owner is subject to the policies.
alter table crm.contacts no force row level security;
alter table identity.accounts no force row level security;
alter table crm.contacts
    add column account_id uuid,
    add constraint contacts_account_fkey foreign key (account_id) references identity.accounts (id);
alter table identity.accounts force row level security;
alter table crm.contacts force row level security;
comment on column crm.contacts.account_id is 'The account of the person, where they accepted to have one here; they see their own data then.';
create index contacts_account_idx on crm.contacts (tenant_id, account_id) where account_id is not null;
-- Removing a customer's account, should that ever be, asks from the other end.
create index contacts_account_fkey_idx on crm.contacts (account_id) where account_id is not null;

grant update (account_id) on crm.contacts to appointd_api;

create policy customer_select on crm.contacts as permissive for select to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and account_id = (select nullif(current_setting('app.account_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{customer}')
    );
create policy customer_select on scheduling.appointments as permissive for select to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (select current_setting('app.role', true)) = any ('{customer}')
        -- What the customer sees of contacts is what the policy above shows.
        and exists (select from crm.contacts as c where c.tenant_id = appointments.tenant_id and c.id = appointments.contact_id)
    );
call app.admit('crm.contacts', 'appointd_gate', array['select', 'update']);
grant usage on schema crm, scheduling to appointd_gate;
grant select (tenant_id, id, account_id), update (account_id, updated_at) on crm.contacts to appointd_gate;


create table tenancy.invitations (
    tenant_id uuid not null default nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid not null,
    email text not null,
    role text not null,
    contact_id uuid,
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(nullif(current_setting('app.account_id', true), ''), nullif(current_setting('app.key_id', true), ''))::uuid,
    sent_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint invitations_pkey primary key (tenant_id, id),
    constraint invitations_email_key unique (tenant_id, email),
    constraint invitations_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint invitations_contact_fkey foreign key (tenant_id, contact_id) references crm.contacts (tenant_id, id) on delete cascade,
    constraint invitations_email_lower_case check (email = lower(email) and length(email) between 3 and 254),
    -- Ownership is handed over by an owner to a member, not by mail.
    constraint invitations_role check (role in ('admin', 'manager', 'staff', 'viewer', 'customer')),
    constraint invitations_contact check ((role = 'customer') = (contact_id is not null)),
    constraint invitations_token_hash_length check (length(token_hash) = 32)
);

comment on table tenancy.invitations is 'Invitations nobody has accepted yet, sent by e-mail. A row goes when it is accepted or taken back.';
comment on column tenancy.invitations.tenant_id is 'The organization that invites.';
comment on column tenancy.invitations.id is 'UUIDv7.';
comment on column tenancy.invitations.email is 'Who is invited, lower case. One open invitation an address.';
comment on column tenancy.invitations.role is 'What they will be: at most what the inviter is.';
comment on column tenancy.invitations.contact_id is 'Of a customer: the contact they are.';
comment on column tenancy.invitations.token_hash is 'SHA-256 of the secret in the e-mail.';
comment on column tenancy.invitations.created_at is 'When the invitation was made.';
comment on column tenancy.invitations.created_by is 'The giver: the account or API key that sent it last. Accepted only while the giver could give the role now (tenancy.may_give).';
comment on column tenancy.invitations.sent_at is 'When the e-mail was last sent.';
comment on column tenancy.invitations.expires_at is 'Until when it can be accepted.';
create index invitations_contact_idx on tenancy.invitations (tenant_id, contact_id) where contact_id is not null;
create index invitations_created_by_idx on tenancy.invitations (tenant_id, created_by);

call app.build_wall('tenancy.invitations', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff');
-- Staff invite customers; who works there is for admins, and nobody gives more than they have.
create policy role_ceiling_insert on tenancy.invitations as restrictive for insert to appointd_api
    with check (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and role = any (app.roles_up_to((select current_setting('app.role', true))))
        and (role = 'customer' or (select current_setting('app.role', true)) = any ('{admin,owner}'))
    );
create policy role_ceiling_update on tenancy.invitations as restrictive for update to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (role = 'customer' or (select current_setting('app.role', true)) = any ('{admin,owner}'))
    );
create policy role_ceiling_delete on tenancy.invitations as restrictive for delete to appointd_api
    using (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)
        and (role = 'customer' or (select current_setting('app.role', true)) = any ('{admin,owner}'))
    );
create policy verified_insert on tenancy.invitations as restrictive for insert to appointd_api
    with check (
        tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select app.may_hand_out())
    );
create policy verified_update on tenancy.invitations as restrictive for update to appointd_api
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid) and (select app.may_hand_out()));
call app.admit('tenancy.invitations', 'appointd_gate', array['select', 'delete']);
grant
    select (tenant_id, id, email, role, contact_id, created_at, created_by, sent_at, expires_at),
    insert (id, email, role, contact_id, token_hash, expires_at),
    update (token_hash, sent_at, expires_at),
    delete
on tenancy.invitations to appointd_api;
grant select, delete on tenancy.invitations to appointd_gate;

-- The giver of an invitation answers for it; sending it again makes the sender the giver. A trigger, because the server
-- has no right to write the column.
create function tenancy.sender_is_giver() returns trigger
language plpgsql
as $$
begin
    new.created_by := coalesce(
        nullif(current_setting('app.account_id', true), '')::uuid,
        nullif(current_setting('app.key_id', true), '')::uuid,
        old.created_by
    );
    return new;
end
$$;

comment on function tenancy.sender_is_giver() is 'Trigger, before an invitation gets another token: the actor becomes its giver.';

create trigger sender_is_giver before update of token_hash on tenancy.invitations
for each row execute function tenancy.sender_is_giver();

-- The gate may look at what counts towards a plan.
call app.admit('scheduling.providers', 'appointd_gate', array['select']);
grant select (tenant_id, active) on scheduling.providers to appointd_gate;
grant execute on function tenancy.counted(uuid, text) to appointd_gate, appointd_api;

create trigger keep_within_plan_insert after insert on scheduling.providers
for each row when (new.active) execute function tenancy.keep_within_plan('providers');
create trigger keep_within_plan_update after update of active on scheduling.providers
for each row when (new.active and not old.active) execute function tenancy.keep_within_plan('providers');
create trigger keep_within_plan_insert after insert on tenancy.members
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
create trigger keep_within_plan_update after update of status, role on tenancy.members
for each row when (new.role <> 'customer' and new.status = 'active' and (old.role = 'customer' or old.status <> 'active'))
execute function tenancy.keep_within_plan('members');
create trigger keep_within_plan_insert after insert on tenancy.invitations
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
-- One that had expired, sent again.
create trigger keep_within_plan_update after update of expires_at on tenancy.invitations
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');

-- A smaller plan must hold what is there.
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
        -- Keys of a plan without them are kept and open nothing.
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

comment on function tenancy.keep_within_new_plan() is 'Trigger, after a change of plan: refuses one that is too small for what is there.';

create trigger keep_within_new_plan after update of plan_type on tenancy.subscriptions
for each row when (new.plan_type <> old.plan_type) execute function tenancy.keep_within_new_plan();
