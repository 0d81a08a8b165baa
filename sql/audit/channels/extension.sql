-- error: An extension is installed that is not needed
--
-- An extension is code with the rights it asks for, and functions for every role: dblink and postgres_fdw reach other
-- databases, file_fdw and adminpack files, pageinspect the pages below all policies. btree_gist is needed; the others
-- in the list below are known to show no rows to roles like ours.

select
    format('extension %I', e.extname) as object,
    format('version %s, belongs to %s', e.extversion, e.extowner::regrole) as found,
    format('drop extension %I; -- or accept it', e.extname) as fix
from pg_extension as e
where e.extname not in ('plpgsql', 'btree_gist', 'pg_stat_statements', 'citus', 'citus_columnar', 'pgaudit')
order by 1
