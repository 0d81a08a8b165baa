-- warning: An index cannot be used under the policies
--
-- A condition is asked before the policies only if its operator is LEAKPROOF. Those of enums, numerics, arrays, ranges
-- and jsonb are not, and neither are expressions with functions that are not: a query with such a condition reads
-- everything the organization has. (Constraints do use such indexes; the ones that keep a key are not reported.)

select
    i.indexrelid::regclass::text as object,
    pg_get_indexdef(i.indexrelid) as found,
    format('drop index %s; -- or keep the value as text, integer, uuid or date', i.indexrelid::regclass) as fix
from pg_index as i
join pg_class as c on c.oid = i.indexrelid
cross join lateral generate_series(0, i.indnkeyatts - 1) as key (position)
join pg_opclass as class on class.oid = i.indclass[key.position]
join pg_amop as o
    on o.amopfamily = class.opcfamily and o.amoplefttype = class.opcintype and o.amoprighttype = class.opcintype
join pg_operator as op on op.oid = o.amopopr
join pg_proc as f on f.oid = op.oprcode
where
    i.indrelid >= 16384
    and not i.indisunique
    and not i.indisexclusion
    and op.oprname in ('=', '&&')
    and not f.proleakproof
group by i.indexrelid
order by 1
