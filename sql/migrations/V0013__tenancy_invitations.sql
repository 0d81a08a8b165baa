-- Invitations: how members join. An invitation of a customer names a contact, hence after crm.contacts.

create table tenancy.invitations (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    email text not null,
    role text not null,
    contact_id uuid,
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    sent_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint invitations_pkey primary key (tenant_id, id),
    constraint invitations_email_key unique (tenant_id, email),
    constraint invitations_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint invitations_contact_fkey foreign key (tenant_id, contact_id)
        references crm.contacts (tenant_id, id) on delete cascade,
    constraint invitations_email_lower_case check (email = lower(email) and length(email) between 3 and 254),
    -- Ownership is transferred by an owner to a member, not by mail.
    constraint invitations_role check (role in ('admin', 'manager', 'staff', 'viewer', 'customer')),
    constraint invitations_contact check ((role = 'customer') = (contact_id is not null)),
    constraint invitations_token_hash_length check (length(token_hash) = 32)
);

comment on table tenancy.invitations is
    'Open invitations, sent by e-mail. Accepting or withdrawing one deletes the row.';
comment on column tenancy.invitations.id is 'UUIDv7.';
comment on column tenancy.invitations.email is
    'Address of the invited person, lower case. At most one open invitation per address.';
comment on column tenancy.invitations.role is 'Role of the future member, at most that of the inviter.';
comment on column tenancy.invitations.contact_id is 'For a customer: the contact that the person is.';
comment on column tenancy.invitations.token_hash is 'SHA-256 of the secret in the e-mail.';
comment on column tenancy.invitations.created_at is 'When the invitation was made.';
comment on column tenancy.invitations.created_by is
    'The account or API key that sent it last: its giver. It can be accepted only while the giver may still give the '
    'role (tenancy.may_give).';
comment on column tenancy.invitations.sent_at is 'When the e-mail was last sent.';
comment on column tenancy.invitations.expires_at is 'Until when it can be accepted.';

create index invitations_contact_idx on tenancy.invitations (tenant_id, contact_id) where contact_id is not null;
create index invitations_created_by_idx on tenancy.invitations (tenant_id, created_by);

call app.build_wall(
    'tenancy.invitations', reads => 'staff', inserts => 'staff', updates => 'staff', deletes => 'staff'
);

-- Staff invite customers; admins invite members. No role gives more than it has.
create policy role_ceiling_insert on tenancy.invitations as restrictive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant())
        and role = any (app.roles_up_to((select app.role())))
        and (role = 'customer' or (select app.role() = any ('{admin,owner}')))
    );
create policy role_ceiling_update on tenancy.invitations as restrictive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (role = 'customer' or (select app.role() = any ('{admin,owner}')))
    );
create policy role_ceiling_delete on tenancy.invitations as restrictive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (role = 'customer' or (select app.role() = any ('{admin,owner}')))
    );
create policy verified_insert on tenancy.invitations as restrictive for insert to appointd_api
    with check (
        tenant_id = (select app.tenant()) and (select app.may_hand_out())
    );
create policy verified_update on tenancy.invitations as restrictive for update to appointd_api
    using (
        tenant_id = (select app.tenant()) and (select app.may_hand_out())
    );
call app.admit('tenancy.invitations', 'appointd_gate', array['select', 'delete']);
call app.admit('tenancy.invitations', 'appointd_owner', array['all']);
call operations.audit('tenancy.invitations');

grant
    select (tenant_id, id, email, role, contact_id, created_at, created_by, sent_at, expires_at),
    insert (id, email, role, contact_id, token_hash, expires_at),
    update (token_hash, sent_at, expires_at),
    delete
on tenancy.invitations to appointd_api;
grant select, delete on tenancy.invitations to appointd_gate;

-- Resending an invitation makes the sender its giver. A trigger, because the server has no right to write the column.
create function tenancy.sender_is_giver() returns trigger
language plpgsql
as $$
begin
    new.created_by := coalesce(
        app.account(),
        app.api_key(),
        old.created_by
    );
    return new;
end
$$;

comment on function tenancy.sender_is_giver() is
    'Trigger, before an invitation gets another token: the actor becomes its giver.';

create trigger sender_is_giver before update of token_hash on tenancy.invitations
for each row execute function tenancy.sender_is_giver();

create trigger keep_within_plan_insert after insert on tenancy.invitations
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
-- An expired invitation that is sent again.
create trigger keep_within_plan_update after update of expires_at on tenancy.invitations
for each row when (new.role <> 'customer') execute function tenancy.keep_within_plan('members');
