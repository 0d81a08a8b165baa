-- no parameters; returns nothing: only tests whether the caller may enter
select true as admitted
