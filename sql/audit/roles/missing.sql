-- error: A role of appointd is missing
--
-- Without it, grants and policies apply to the wrong roles. sql/setup/roles.sql creates all six.

select
    format('role %s', wanted.name) as object,
    'missing' as found,
    '-- run sql/setup/roles.sql as a superuser, and reset what is set for this database alone' as fix
from (
    values
        ('appointd_owner'), ('appointd_api'), ('appointd_door'), ('appointd_worker'), ('appointd_gate'),
        ('appointd_auditor')
) as wanted (name)
where to_regrole(wanted.name) is null
order by 1
