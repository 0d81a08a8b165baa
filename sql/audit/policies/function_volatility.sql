-- error: A policy calls a function that is not STABLE
--
-- An IMMUTABLE function is evaluated when a statement is planned: with prepared statements, the next request on the
-- same connection would see the rows of the organization that the plan was made for. A VOLATILE one is evaluated for
-- every row and prevents the use of indexes.

select
    format('%s policy %I', p.polrelid::regclass, p.polname) as object,
    format(
        'calls %s, which is %s',
        f.oid::regprocedure,
        case f.provolatile when 'i' then 'IMMUTABLE' else 'VOLATILE' end
    ) as found,
    format(
        '-- alter function %s stable, if it only reads',
        f.oid::regprocedure
    ) as fix
from pg_policy as p
join pg_depend as d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass
join pg_proc as f on f.oid = d.refobjid
where f.oid >= 16384 and f.provolatile <> 's'
union all
-- Built-in ones are not among the dependencies.
select
    format('%s policy %I', p.polrelid::regclass, p.polname),
    format('calls %s, which is VOLATILE', call.name[1]),
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass)
from pg_policy as p
cross join lateral regexp_matches(
    concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
    '\m(random|clock_timestamp|timeofday|nextval|gen_random_uuid|pg_backend_pid|set_config)\(', 'g'
) as call (name)
order by 1, 2
