-- The rights of each audience on the rows of each table, from grants and policies: `appointd audit --matrix` prints it.
--
-- guest to owner are people, for whom the server (appointd_api) has entered an organization; an API key has a role
-- like a person. scheduler is the server itself, when it offers freed time to the waitlist. door, worker, gate,
-- migrator and auditor are the roles appointd_door, appointd_worker, appointd_gate, appointd_owner and
-- appointd_auditor.
--
-- s select, i insert, u update, d delete, t truncate; - nothing. A letter means that the right covers at least some
-- rows or columns: the audience's own, those of the object that a guest has the link of or a customer changes, those
-- that a restrictive policy leaves. No letter means no row of any organization.

with tables as (
    select c.oid, format('%s.%s', n.nspname, c.relname) as name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid >= 16384 and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
),
commands (name, letter, cmd, position) as (
    values ('select', 's', 'r', 1), ('insert', 'i', 'a', 2), ('update', 'u', 'w', 3), ('delete', 'd', 'd', 4),
    ('truncate', 't', null, 5)
),
audiences (audience, role, person, position) as (
    values
        ('scheduler', 'appointd_api', true, 0),
        ('guest', 'appointd_api', true, 1),
        ('customer', 'appointd_api', true, 2),
        ('viewer', 'appointd_api', true, 3),
        ('staff', 'appointd_api', true, 4),
        ('manager', 'appointd_api', true, 5),
        ('admin', 'appointd_api', true, 6),
        ('owner', 'appointd_api', true, 7),
        ('door', 'appointd_door', false, 8),
        ('worker', 'appointd_worker', false, 9),
        ('gate', 'appointd_gate', false, 10),
        ('migrator', 'appointd_owner', false, 11),
        ('auditor', 'appointd_auditor', false, 12)
),
-- What has to be true of who asks, of each permissive policy: the part of it that is decided before any row is looked
-- at.
policies as (
    select
        p.polrelid,
        p.polcmd,
        p.polroles,
        -- Both, for an update: who passes the one alone can lock rows and not change them.
        case command.name
            when 'insert' then coalesce(e.with_check, e.using)
            when 'update' then concat_ws(' AND ', e.using, e.with_check)
            else e.using
        end as expression,
        command.name as command
    from pg_policy as p
    cross join lateral (
        select pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as with_check
    ) as e
    join commands as command on p.polcmd = '*' or p.polcmd = command.cmd::"char"
    where p.polpermissive
),
cells as (
    select
        t.name as relation,
        a.audience,
        a.position,
        string_agg(case when granted.so and admitted.so then c.letter else '-' end, '' order by c.position) as rights
    from tables as t
    cross join audiences as a
    cross join commands as c
    join pg_class as r on r.oid = t.oid
    cross join lateral (
        select
            case
                when to_regrole(a.role) is null then false
                when c.name in ('delete', 'truncate') then has_table_privilege(to_regrole(a.role), t.oid, c.name)
                else has_any_column_privilege(to_regrole(a.role), t.oid, c.name)
            end as so
    ) as granted
    cross join lateral (
        select
            c.name = 'truncate'
            or not r.relrowsecurity
            or (r.relowner = to_regrole(a.role) and not r.relforcerowsecurity)
            or exists (
                select
                from policies as p
                where
                    p.polrelid = t.oid
                    and p.command = c.name
                    and (0 = any (p.polroles) or to_regrole(a.role) = any (p.polroles))
                    and (
                        not a.person
                        or (
                            -- Every list of roles in it has this one.
                            not exists (
                                select
                                from regexp_matches(
                                    p.expression, 'app\.role\(\)[^=]*= ANY \(''\{([^}]*)\}''', 'g'
                                ) as list (roles)
                                where a.audience <> all (string_to_array(list.roles[1], ','))
                            )
                            -- Guests and the scheduler have no account, and only guests and customers one thing to
                            -- make or change.
                            and not (
                                a.audience in ('guest', 'scheduler')
                                and p.expression like '%app.account()%'
                                and p.expression not like '% OR %'
                            )
                            and not (
                                a.audience not in ('guest', 'customer')
                                and p.expression like '%app.subject()%'
                            )
                            -- A person sends no API key.
                            and p.expression not like '%app.api_key()%'
                        )
                    )
            ) as so
    ) as admitted
    group by t.name, a.audience, a.position
)
select
    relation,
    max(rights) filter (where audience = 'scheduler') as scheduler,
    max(rights) filter (where audience = 'guest') as guest,
    max(rights) filter (where audience = 'customer') as customer,
    max(rights) filter (where audience = 'viewer') as viewer,
    max(rights) filter (where audience = 'staff') as staff,
    max(rights) filter (where audience = 'manager') as manager,
    max(rights) filter (where audience = 'admin') as admin,
    max(rights) filter (where audience = 'owner') as owner,
    max(rights) filter (where audience = 'door') as door,
    max(rights) filter (where audience = 'worker') as worker,
    max(rights) filter (where audience = 'gate') as gate,
    max(rights) filter (where audience = 'migrator') as migrator,
    max(rights) filter (where audience = 'auditor') as auditor
from cells
group by relation
order by relation
