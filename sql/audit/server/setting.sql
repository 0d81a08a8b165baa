-- error: A setting of the server disables checks
--
-- lo_compat_privileges lets every role read and write large objects; session_replication_role other than origin
-- disables triggers, and with them foreign keys and the change log; zero_damaged_pages and ignore_checksum_failure lose
-- rows silently; without fsync or full_page_writes a crash may bring back two bookings of one slot (a disposable test
-- cluster runs without them, which synchronous_commit = off indicates).

select
    format('setting %s', s.name) as object,
    s.setting as found,
    format('alter system reset %s;', s.name) as fix
from pg_settings as s
where
    (s.name, s.setting) in (
        ('lo_compat_privileges', 'on'),
        ('session_replication_role', 'replica'),
        ('session_replication_role', 'local'),
        ('zero_damaged_pages', 'on'),
        ('ignore_checksum_failure', 'on'),
        ('allow_system_table_mods', 'on'),
        ('ignore_system_indexes', 'on'),
        ('transform_null_equals', 'on')
    )
    or (
        (s.name, s.setting) in (('fsync', 'off'), ('full_page_writes', 'off'))
        and current_setting('synchronous_commit') <> 'off'
    )
order by 1
