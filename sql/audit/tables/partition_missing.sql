-- error: A partition of the change log is missing
--
-- The log has a partition for every month, some months ahead, and a default partition. Without the one for the current
-- month, rows go to the default partition, which cannot be divided by month; without the default partition, nothing can
-- be changed at all.

select
    'operations.audit_events' as object,
    wanted.what as found,
    'select operations.make_audit_partitions(3); -- as appointd_owner, or run appointd migrate' as fix
from (
    select 'no default partition' as what, 'DEFAULT' as pattern
    union all
    select
        'no partition for this month',
        format('FOR VALUES FROM (''%s-01 %%', to_char(now() at time zone 'UTC', 'YYYY-MM'))
) as wanted
where
    not exists (
        select
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where
            i.inhparent = to_regclass('operations.audit_events')
            and pg_get_expr(c.relpartbound, c.oid) like wanted.pattern
    )
order by 1, 2
