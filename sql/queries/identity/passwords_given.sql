-- no parameters; resets the count of attempts: the password of the signed-in account was right
--
-- Sent as appointd_door.
select identity.password_given()
