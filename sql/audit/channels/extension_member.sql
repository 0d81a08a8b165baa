-- error: An extension contains objects that it did not create
--
-- Other rules skip objects of extensions, because the author of the extension is responsible for its code. `alter
-- extension … add` makes any object belong to one. The extensions that are needed contain functions in C from their own
-- library, types, operators and support for indexes; other objects were added by hand.

select
    format('extension %I', e.extname) as object,
    format('holds %s', pg_describe_object(d.classid, d.objid, d.objsubid)) as found,
    format(
        'alter extension %I drop %s; -- and look what it is',
        e.extname,
        pg_describe_object(d.classid, d.objid, d.objsubid)
    ) as fix
from pg_depend as d
join pg_extension as e on e.oid = d.refobjid
left join pg_proc as f on d.classid = 'pg_proc'::regclass and f.oid = d.objid
left join pg_language as l on l.oid = f.prolang
left join pg_operator as o on d.classid = 'pg_operator'::regclass and o.oid = d.objid
where
    d.deptype = 'e'
    and d.refclassid = 'pg_extension'::regclass
    and case
        when d.classid = 'pg_proc'::regclass then
            l.lanname <> 'c' or f.probin <> '$libdir/' || e.extname or f.prosecdef
        when d.classid = 'pg_operator'::regclass then
            o.oprcode not in (
                select m.objid
                from pg_depend as m where m.deptype = 'e' and m.refobjid = e.oid and m.classid = 'pg_proc'::regclass
            )
        when d.classid in (
            'pg_type'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_amop'::regclass,
            'pg_amproc'::regclass
        ) then false
        when d.classid = 'pg_language'::regclass then e.extname <> 'plpgsql'
        -- Its two views, of statements without values.
        when d.classid = 'pg_class'::regclass then
            e.extname not like 'citus%'
            and (e.extname <> 'pg_stat_statements' or d.objid::regclass::text !~ '(^|\.)pg_stat_statements(_info)?$')
        else e.extname not like 'citus%' and e.extname <> 'pgaudit'
    end
order by 1, 2
