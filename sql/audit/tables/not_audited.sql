-- warning: Changes of a table are not in the change log
--
-- Every change of a tenant's row is recorded with its actor (operations.record_change), except in the tables named
-- below.

select
    c.oid::regclass::text as object,
    'no trigger record_change' as found,
    format('drop trigger if exists record_change on %1$s; call operations.audit(''%1$s'');', c.oid::regclass) as fix
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not c.relispartition
    and exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'tenant_id')
    and format('%s.%s', n.nspname, c.relname) not in (
        -- The log itself.
        'operations.audit_events',
        -- The deletions of the log, for all readers.
        'operations.deletions',
        -- What happened, for those who follow it, and how far it is published.
        'messaging.outbox',
        'messaging.events',
        'messaging.turns',
        'messaging.jobs',
        'messaging.webhook_deliveries',
        'messaging.webhook_attempts',
        -- What people are told: follows from the events.
        'messaging.messages',
        -- Counters, and answers stored for a day: not decisions of a person.
        'tenancy.usage_days',
        'tenancy.alerts',
        'operations.idempotency_keys',
        -- What is still to be offered to the waitlist.
        'scheduling.freed_time',
        -- Time that is taken follows from the appointment or hold that takes it, which is in the log.
        'scheduling.claims',
        'scheduling.shared_claims',
        'scheduling.appointment_segments',
        -- Counters of what guests ask for.
        'scheduling.guest_requests'
    )
    and not exists (
        select
        from pg_trigger as t
        where
            t.tgrelid = c.oid
            and t.tgfoid = to_regprocedure('operations.record_change()')
            and t.tgenabled in ('O', 'A')
            -- After each row, for insert, update and delete, of all columns.
            and t.tgtype & 31 = 29
            and t.tgqual is null
            and t.tgattr::text = ''
    )
order by 1
