-- error: New objects are granted to other roles
--
-- Default privileges grant rights on tables, functions and other objects when they are created, before they have
-- policies.

select
    format('default privileges of %s', d.defaclrole::regrole) as object,
    format(
        '%s gets %s on new %s',
        case a.grantee when 0 then 'every role' else a.grantee::regrole::text end,
        lower(string_agg(a.privilege_type, ', ')),
        case d.defaclobjtype
            when 'r' then 'tables'
            when 'S' then 'sequences'
            when 'f' then 'functions'
            when 'T' then 'types'
            else 'schemas'
        end
    ) as found,
    format(
        'alter default privileges for role %s%s revoke all on %s from %s;',
        d.defaclrole::regrole,
        case when d.defaclnamespace <> 0 then format(' in schema %s', d.defaclnamespace::regnamespace) else '' end,
        case d.defaclobjtype
            when 'r' then 'tables'
            when 'S' then 'sequences'
            when 'f' then 'functions'
            when 'T' then 'types'
            else 'schemas'
        end,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    ) as fix
from pg_default_acl as d
cross join lateral aclexplode(d.defaclacl) as a
where a.grantee <> d.defaclrole
group by d.oid, d.defaclrole, d.defaclobjtype, d.defaclnamespace, a.grantee
order by 1, 2
