-- error: The server is set not to check
--
-- lo_compat_privileges lets everybody read and write large objects; session_replication_role other than origin switches
-- triggers, and with them foreign keys and the audit log, off; zero_damaged_pages and ignore_checksum_failure lose rows
-- in silence; without fsync or full_page_writes a crash may bring two bookings of one slot back (a cluster made for
-- tests, whose data nobody keeps, runs without: it says so in synchronous_commit, too).

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
