//! Plain data that the designer and the engine exchange.
