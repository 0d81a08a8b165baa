-- Mail budgets: how many mails the server sends to one address, for one inviter and for one organization. Counted in
-- the database because several servers have to agree, and across organizations because one mailbox gets the mails of
-- all.

create table messaging.mail_budgets (
    bucket text not null,
    subject bytea not null,
    spent double precision not null default 0,
    counted_at timestamptz not null default now(),
    constraint mail_budgets_pkey primary key (bucket, subject),
    constraint mail_budgets_bucket check (
        bucket in (
            'account_hour', 'account_day', 'recipient_hour', 'recipient_day', 'inviter_hour', 'organization_hour',
            'organization_day'
        )
    ),
    constraint mail_budgets_subject_length check (length(subject) = 32),
    constraint mail_budgets_spent check (spent >= 0)
);

comment on table messaging.mail_budgets is
    'How much of its budget an address, an inviter or an organization has spent. A budget refills steadily: the '
    'amount spent decreases with time. Belongs to no organization: the budget of an address is shared by all.';
comment on column messaging.mail_budgets.bucket is
    'What is counted, and over which period. account: mails to an address about the account of the person; recipient: '
    'mails to an address sent for organizations; inviter: invitations of one account or API key; organization: mails '
    'sent for one organization.';
comment on column messaging.mail_budgets.subject is
    'SHA-256 of the e-mail address in lower case, without a plus sign in the local part and what follows it; or of '
    'the id of the inviter or organization.';
comment on column messaging.mail_budgets.spent is 'Number of mails spent at counted_at.';
comment on column messaging.mail_budgets.counted_at is 'When the last mail was counted.';

create index mail_budgets_time_idx on messaging.mail_budgets (counted_at);

alter table messaging.mail_budgets enable row level security;
alter table messaging.mail_budgets force row level security;

create policy gate_all on messaging.mail_budgets as permissive for all to appointd_gate using (true) with check (true);

grant select, insert, update, delete on messaging.mail_budgets to appointd_gate;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema messaging to appointd_gate;
set local role appointd_gate;

create function messaging.budgets_of(mailbox bytea, organization_id uuid, inviter uuid)
returns table (bucket text, subject bytea, most integer, period interval)
language sql stable
begin atomic
    select b.bucket, b.subject, b.most, b.period
    from (
        values
            -- Mails about one's own account are counted separately: otherwise mails of organizations could use up the
            -- budget and keep a person from resetting their password.
            ('account_hour', case when organization_id is null then mailbox end, 6, interval '1 hour'),
            ('account_day', case when organization_id is null then mailbox end, 12, interval '1 day'),
            ('recipient_hour', case when organization_id is not null then mailbox end, 6, interval '1 hour'),
            ('recipient_day', case when organization_id is not null then mailbox end, 20, interval '1 day'),
            ('inviter_hour', sha256(convert_to(inviter::text, 'UTF8')), 60, interval '1 hour'),
            ('organization_hour', sha256(convert_to(organization_id::text, 'UTF8')), 300, interval '1 hour'),
            ('organization_day', sha256(convert_to(organization_id::text, 'UTF8')), 2000, interval '1 day')
    ) as b (bucket, subject, most, period)
    where b.subject is not null;
end;

comment on function messaging.budgets_of(bytea, uuid, uuid) is
    'The budgets that a mail counts towards: maximum number of mails, and the period in which that many are refilled.';

create function messaging.spend(
    in recipient text, in organization_id uuid, in inviter uuid, out refused text, out retry_after integer
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
    address constant text := lower(recipient);
    -- With most providers an address with a plus sign and a suffix leads to the same mailbox.
    mailbox constant bytea := sha256(convert_to(regexp_replace(address, '^([^@+]+)\+[^@]*@', '\1@'), 'UTF8'));
    budget record;
    has_owner boolean;
begin
    if app.role() is not null and organization_id is distinct from entered then
        raise exception 'this transaction has entered another tenant'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if organization_id is not null then
        perform app.set_tenant(organization_id);
        has_owner := exists (
            select
            from tenancy.members as m
            join identity.accounts as a on a.id = m.account_id
            where
                m.tenant_id = organization_id
                and m.role = 'owner'
                and m.status = 'active'
                and a.email_verified_at is not null
        );
        perform app.set_tenant(entered);
        if not has_owner then
            refused := 'unverified';
            retry_after := 0;
            return;
        end if;
    end if;
    insert into messaging.mail_budgets (bucket, subject)
    select b.bucket, b.subject
    from messaging.budgets_of(mailbox, organization_id, inviter) as b
    order by b.bucket, b.subject
    on conflict on constraint mail_budgets_pkey do nothing;
    retry_after := 0;
    -- All budgets are locked in one order; the mail is counted if all have room, and not at all otherwise.
    for budget in
        select
            b.bucket, b.most, b.period,
            greatest(
                0, m.spent - extract(epoch from now() - m.counted_at) * b.most / extract(epoch from b.period)
            ) as spent
        from messaging.mail_budgets as m
        join messaging.budgets_of(mailbox, organization_id, inviter) as b
            on b.bucket = m.bucket and b.subject = m.subject
        order by m.bucket, m.subject
        for update of m
    loop
        if budget.spent + 1 > budget.most then
            refused := coalesce(refused, budget.bucket);
            retry_after := greatest(
                retry_after,
                ceil((budget.spent + 1 - budget.most) * extract(epoch from budget.period) / budget.most)::integer
            );
        end if;
    end loop;
    if refused is not null then
        return;
    end if;
    update messaging.mail_budgets as m
    set
        spent = 1 + greatest(
            0, m.spent - extract(epoch from now() - m.counted_at) * b.most / extract(epoch from b.period)
        ),
        counted_at = now()
    from messaging.budgets_of(mailbox, organization_id, inviter) as b
    where m.bucket = b.bucket and m.subject = b.subject;
    if organization_id is not null then
        perform tenancy.count_message(organization_id, 'email', false);
    end if;
end
$$;

comment on function messaging.spend(text, uuid, uuid) is
    'Counts a mail to an address towards each of its budgets: sent for an organization (and an inviter), or without '
    'one about the account of the person. refused null: the mail may be sent. Otherwise refused is the budget that is '
    'spent, and retry_after the seconds until it has room again; `unverified`: no owner of the organization has a '
    'verified address, so it sends no mail.';

grant execute on function messaging.spend(text, uuid, uuid) to appointd_api;
reset role;
revoke create on schema messaging from appointd_gate;
