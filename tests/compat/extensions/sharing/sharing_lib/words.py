SAID = "said"
