-- warning: An extension is older than the version on the server
--
-- A newer version may fix leaks of the older one. Upgrading the server does not upgrade extensions.

select
    format('extension %I', e.extname) as object,
    format('version %s, available is %s', e.extversion, a.default_version) as found,
    format('alter extension %I update;', e.extname) as fix
from pg_extension as e
join pg_available_extensions as a on a.name = e.extname
where a.default_version <> e.extversion
order by 1
