-- error: A role other than the owner can create objects
--
-- A role that can create a function, an operator, a table or a temporary table can place one where our names are looked
-- up, or read statistics of the planner through its own operator (CVE-2019-10130, CVE-2025-8713).

select
    format('%s %s', place.kind, place.name) as object,
    format('%s may %s in it', place.grantee, lower(string_agg(place.privilege, ', '))) as found,
    format(
        'revoke %s on %s %s from %s;',
        lower(string_agg(place.privilege, ', ')),
        place.kind,
        place.name,
        place.grantee
    ) as fix
from (
    select
        'schema',
        quote_ident(n.nspname),
        a.privilege_type,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    from pg_namespace as n
    cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
    where a.privilege_type = 'CREATE' and a.grantee not in (n.nspowner, 10) and n.nspname !~ '^pg_(temp|toast)'
    union all
    select
        'database',
        quote_ident(d.datname),
        a.privilege_type,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    from pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
    where
        a.privilege_type in ('CREATE', 'TEMPORARY')
        and a.grantee not in (d.datdba, 10)
        and d.datname = current_database()
) as place (kind, name, privilege, grantee)
group by place.kind, place.name, place.grantee
order by 1, 2
