-- error: Anybody who makes databases may copy this one
--
-- A database that is marked as a template can be copied by every role with CREATEDB, which then owns the copy and all
-- that is in it.

select
    format('database %I', d.datname) as object,
    'marked as a template' as found,
    format('alter database %I is_template false;', d.datname) as fix
from pg_database as d
where d.datname = current_database() and d.datistemplate
order by 1
