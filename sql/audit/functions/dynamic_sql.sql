-- error: A SECURITY DEFINER function builds a statement from its arguments
--
-- EXECUTE of a concatenated string (`||`), or of one made with format's %s, runs its content with the rights of the
-- owner. %L and %I quote; USING passes values.

select
    f.oid::regprocedure::text as object,
    'EXECUTE of something that is neither a literal nor quoted by format' as found,
    format('-- rewrite %s with format(… %%L …), or with using', f.oid::regprocedure) as fix
from pg_proc as f
join pg_language as l on l.oid = f.prolang
where
    f.oid >= 16384
    and f.prosecdef
    and l.lanname = 'plpgsql'
    and (
        f.prosrc ~* '\mexecute\M[^;]*\|\|'
        or f.prosrc ~* '\mexecute\M\s+(?!format\s*\(|'')'
        or f.prosrc ~* '\mexecute\M\s+format\s*\([^;]*%(\d+\$)?-?\d*s'
    )
order by 1
