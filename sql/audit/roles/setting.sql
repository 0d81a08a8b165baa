-- error: A setting is given to a role before anybody entered
--
-- A default for app.tenant_id makes a connection that entered nothing belong to that organization, after every commit.
-- One for row_security, session_replication_role or search_path of a role decides whether policies, triggers and
-- foreign keys hold and where names are looked up. Known: what sql/setup/roles.sql sets.

select
    format(
        '%s%s',
        coalesce(format('role %s', nullif(s.setrole, 0)::regrole), 'every role'),
        coalesce((select format(' in database %I', d.datname) from pg_database as d where d.oid = s.setdatabase), '')
    ) as object,
    setting.value as found,
    format(
        case when s.setrole = 0 then 'alter database %2$s reset %3$s;' else 'alter role %1$s%4$s reset %3$s;' end,
        nullif(s.setrole, 0)::regrole,
        (select quote_ident(d.datname) from pg_database as d where d.oid = s.setdatabase),
        split_part(setting.value, '=', 1),
        (select format(' in database %I', d.datname) from pg_database as d where d.oid = s.setdatabase)
    ) as fix
from pg_db_role_setting as s
cross join lateral unnest(s.setconfig) as setting (value)
where
    (
        setting.value ~ '^app\.'
        or split_part(setting.value, '=', 1) in (
            'row_security', 'session_replication_role', 'search_path', 'role', 'session_preload_libraries',
            'local_preload_libraries', 'lo_compat_privileges', 'default_transaction_isolation', 'check_function_bodies'
        )
    )
    and not (s.setdatabase = 0 and s.setrole = to_regrole('appointd_owner') and setting.value = 'row_security=off')
    and not (s.setdatabase = 0 and s.setrole = to_regrole('appointd_api') and setting.value = 'search_path=pg_catalog, pg_temp')
order by 1, 2
