-- warning: A replication slot reads the changes of this database
--
-- A logical slot sends every change of every row of this database, decoded. A slot that is no longer read keeps all
-- write-ahead log until the disk is full.

select
    format('replication slot %I', s.slot_name) as object,
    concat_ws(
        ', ',
        s.slot_type,
        'plugin ' || s.plugin,
        case when s.active then 'in use' else 'not in use' end,
        s.wal_status
    ) as found,
    format('select pg_drop_replication_slot(%L);', s.slot_name) as fix
from pg_replication_slots as s
where
    (s.slot_type = 'logical' and s.database = current_database())
    or (not s.active and s.wal_status in ('unreserved', 'lost'))
order by 1
