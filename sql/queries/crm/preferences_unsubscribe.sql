-- $1 organization, $2 contact, $3 kind of messages, $4 proof, $5 whether only to look
--
-- Sent as appointd_door.
select crm.unsubscribe($1, $2, $3, $4, $5) as slug
