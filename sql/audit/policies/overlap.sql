-- note: Many policies apply to one command
--
-- All permissive policies of a role and a command are checked for every row. Up to four are usual here: members,
-- guests, customers, and those that enter or another role of the server.

select
    p.polrelid::regclass::text as object,
    format(
        '%s permissive policies for %s of %s: %s',
        count(*), command.name, r.role::regrole, string_agg(quote_ident(p.polname), ', ' order by p.polname)
    ) as found,
    format('-- make one of them, on %s', p.polrelid::regclass) as fix
from pg_policy as p
cross join unnest(p.polroles) as r (role)
join (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) as command (name, letter)
    on p.polcmd in ('*', command.letter::"char")
where p.polpermissive
group by p.polrelid, r.role, command.name
having count(*) > 4
order by 1, 2
