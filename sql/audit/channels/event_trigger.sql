-- error: Code runs when somebody changes the schema
--
-- An event trigger runs its function with the rights of whoever migrates, or of whoever signs in.

select
    format('event trigger %I', e.evtname) as object,
    format('on %s, calls %s as whoever is there', e.evtevent, e.evtfoid::regprocedure) as found,
    format('drop event trigger %I;', e.evtname) as fix
from pg_event_trigger as e
order by 1
