-- error: An event trigger runs code at changes of the schema
--
-- An event trigger runs its function with the rights of the role that migrates or signs in.

select
    format('event trigger %I', e.evtname) as object,
    format('on %s, calls %s with the rights of the current role', e.evtevent, e.evtfoid::regprocedure) as found,
    format('drop event trigger %I;', e.evtname) as fix
from pg_event_trigger as e
order by 1
