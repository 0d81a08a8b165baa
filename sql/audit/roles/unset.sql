-- warning: A role lacks a default setting
--
-- Server, front door and worker look up names only in pg_catalog; their statements and idle transactions lock rows for
-- a limited time. The owner fails if a policy would silently hide rows from a migration, and limits how long others
-- wait behind its locks.

select
    format('role %s', wanted.role_name) as object,
    format('%s is not set%s', wanted.setting, coalesce(' to ' || wanted.value, '')) as found,
    '-- run sql/setup/roles.sql as a superuser, and reset what is set for this database alone' as fix
from (
    values
        ('appointd_api', 'search_path', 'pg_catalog, pg_temp'),
        ('appointd_api', 'statement_timeout', null),
        ('appointd_api', 'lock_timeout', null),
        ('appointd_api', 'idle_in_transaction_session_timeout', null),
        ('appointd_door', 'search_path', 'pg_catalog, pg_temp'),
        ('appointd_door', 'statement_timeout', null),
        ('appointd_door', 'lock_timeout', null),
        ('appointd_door', 'idle_in_transaction_session_timeout', null),
        ('appointd_worker', 'search_path', 'pg_catalog, pg_temp'),
        ('appointd_worker', 'statement_timeout', null),
        ('appointd_worker', 'lock_timeout', null),
        ('appointd_worker', 'idle_in_transaction_session_timeout', null),
        ('appointd_owner', 'row_security', 'off'),
        ('appointd_owner', 'lock_timeout', null)
) as wanted (role_name, setting, value)
where
    not coalesce(
        (
            select
                (wanted.value is null or setting.value = wanted.setting || '=' || wanted.value)
                -- 0 is none at all.
                and setting.value !~ '=0+ *(us|ms|s|min|h|d)?$'
            from pg_db_role_setting as s
            cross join lateral unnest(s.setconfig) as setting (value)
            where
                s.setrole = to_regrole(wanted.role_name)
                and s.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database()))
                and split_part(setting.value, '=', 1) = wanted.setting
            -- What is set for this database counts before what is set for all.
            order by s.setdatabase = 0
            limit 1
        ),
        false
    )
order by 1, 2
