-- error: A role has a default for a setting of the context
--
-- A default for the parameter of the context makes a connection that has not entered belong to an organization, after
-- every commit.
-- A default of a role for row_security, session_replication_role or search_path decides whether policies, triggers and
-- foreign keys apply and where names are looked up. Known: the settings of sql/setup/roles.sql.

select
    format(
        '%s%s',
        case when s.setrole = 0 then 'every role' else format('role %s', s.setrole::regrole) end,
        coalesce((select format(' in database %I', d.datname) from pg_database as d where d.oid = s.setdatabase), '')
    ) as object,
    setting.value as found,
    format(
        'alter role %s%s reset %I;',
        case when s.setrole = 0 then 'all' else s.setrole::regrole::text end,
        (select format(' in database %I', d.datname) from pg_database as d where d.oid = s.setdatabase),
        split_part(setting.value, '=', 1)
    ) as fix
from pg_db_role_setting as s
cross join lateral unnest(s.setconfig) as setting (value)
where
    -- Those of another database hold there alone.
    s.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database()))
    and (
        setting.value ~* '^app\.'
        or lower(split_part(setting.value, '=', 1)) in (
            'backtrace_functions',
            'row_security', 'session_replication_role', 'search_path', 'role', 'session_preload_libraries',
            'local_preload_libraries', 'lo_compat_privileges', 'default_transaction_isolation', 'check_function_bodies',
            'standard_conforming_strings',
            'transform_null_equals', 'backslash_quote', 'zero_damaged_pages', 'ignore_checksum_failure',
            'allow_system_table_mods'
        )
    )
    and not (s.setdatabase = 0 and s.setrole = to_regrole('appointd_owner') and setting.value = 'row_security=off')
    and not (
        s.setdatabase = 0
        and s.setrole in (
            to_regrole('appointd_api'), to_regrole('appointd_door'), to_regrole('appointd_worker')
        )
        and setting.value = 'search_path=pg_catalog, pg_temp'
    )
order by 1, 2
