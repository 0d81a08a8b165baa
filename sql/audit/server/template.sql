-- error: A role with CREATEDB may copy this database
--
-- A database that is marked as a template can be copied by every role with CREATEDB, which then owns the copy and its
-- data.

select
    format('database %I', d.datname) as object,
    'marked as a template' as found,
    format('alter database %I is_template false;', d.datname) as fix
from pg_database as d
where d.datname = current_database() and d.datistemplate
order by 1
