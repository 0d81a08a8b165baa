-- A row of each table that no request of the tests makes, for the organization {tenant}: an event for each lowest role
-- and one about the customer's contact, one that is not published, a job, a message, a text, and a tick of regular work.
insert into messaging.events (
    tenant_id, position, id, occurred_at, actor_kind, type, subject_id, contact_id, lowest_role, data
)
select
    t.tenant_id, t.last_position + e.nth, gen_random_uuid(), now(), 'system', e.type, t.tenant_id,
    (
        select c.id
        from crm.contacts as c
        where c.tenant_id = t.tenant_id
        order by c.account_id nulls last
        limit 1
    ),
    e.lowest_role, '{}'
from messaging.turns as t
cross join (
    values (1, 'contact.created', 'viewer'), (2, 'invitation.created', 'staff'), (3, 'domain.created', 'admin')
) as e (nth, type, lowest_role)
where t.tenant_id = '{tenant}';

update messaging.turns set last_position = last_position + 3 where tenant_id = '{tenant}';

insert into messaging.outbox (tenant_id, actor_kind, type, subject_id, lowest_role, data)
values ('{tenant}', 'system', 'contact.created', '{tenant}', 'viewer', '{}');

insert into messaging.jobs (tenant_id, kind, state, lease_until, lease_token)
values ('{tenant}', 'test.rows', 'running', 'infinity', gen_random_uuid());

insert into messaging.cron_runs (name, tick, due_at, outcome)
values ('test.rows', '2026-01-01T00:00:00', '2026-01-01', 'missed')
on conflict (name, tick) do nothing;

insert into messaging.webhook_endpoints (
    tenant_id, id, url, key_id, enabled, disabled_reason, disabled_at, created_by
)
values ('{tenant}', gen_random_uuid(), 'https://hooks.example.com/rows', 'rows', false, 'admin', now(), '{tenant}');

with delivery as (
    insert into messaging.webhook_deliveries (tenant_id, endpoint_id, event_id, type, state, next_at)
    select e.tenant_id, e.id, gen_random_uuid(), 'webhook.test', 'failed', null
    from messaging.webhook_endpoints as e
    where e.tenant_id = '{tenant}'
    returning tenant_id, id
)
insert into messaging.webhook_attempts (tenant_id, delivery_id, number, status, error, duration_ms)
select d.tenant_id, d.id, 1, 500, 'error_status', 10
from delivery as d;

insert into messaging.messages (
    tenant_id, event_id, event, subject_id, sequence, recipient, recipient_id, channel, occurred_at
)
values ('{tenant}', '{tenant}', 'appointment.created', '{tenant}', 0, 'contact', '{tenant}', 'email', now());

-- In a language of its own: keys of two organizations are compared.
insert into messaging.templates (tenant_id, id, event, recipient, language, subject, body)
select
    '{tenant}', gen_random_uuid(), 'appointment.created', 'contact',
    translate(left(gen_random_uuid()::text, 3), '0123456789', 'ghijklmnop'), 'Subject', 'Body';
