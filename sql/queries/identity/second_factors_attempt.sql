-- $1 account, ignored if one has signed in; counts an attempt at a code
--
-- Sent as appointd_door.
select identity.code_attempt($1) as retry_after
