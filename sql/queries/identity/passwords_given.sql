-- no parameters; resets the count of attempts: the password of the signed-in account was right
select identity.password_given()
