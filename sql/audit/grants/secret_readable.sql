-- error: The server or the worker can read a secret
--
-- Hashes of passwords and of tokens are compared by functions of the gate; the server gives a secret in and gets an
-- answer out. Read by the server, they could end up in a response or a log.
--
-- The ones below are compared by statements: a person's own second factor and recovery codes, and what a domain has to
-- show in public DNS.

select
    format('%s.%I', a.attrelid::regclass, a.attname) as object,
    format('%s may select it', reader.name) as found,
    format(
        'revoke select on %s from %s; -- and grant it on the other columns', a.attrelid::regclass, reader.name
    ) as fix
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
cross join (values ('appointd_api'), ('appointd_door'), ('appointd_worker')) as reader (name)
where
    c.oid >= 16384
    and c.relkind in ('r', 'p', 'v', 'm')
    and not c.relispartition
    and a.attnum > 0
    and not a.attisdropped
    and a.attname ~ '(passw|pwd|passphrase|secret|token|hash|challenge|private|credential|salt|api_key|signing|cookie|'
        'mfa|(^|_)(t?otp|pin|seed|ssn|cvv|iban|dob)($|_)|card_number)'
    and has_column_privilege(coalesce(to_regrole(reader.name), 0), a.attrelid, a.attnum, 'select')
    and format('%s.%s.%s', n.nspname, c.relname, a.attname) not in (
        'identity.second_factors.secret',
        'identity.recovery_codes.hash',
        'tenancy.domains.challenge',
        -- A number of keys, no key.
        'tenancy.plans.max_api_keys',
        -- Of the worker alone, for as long as a job runs: it opens nothing.
        'messaging.jobs.lease_token',
        -- Of a request, so that a repeated one is known: no secret.
        'operations.idempotency_keys.request_hash'
    )
order by 1, 2
