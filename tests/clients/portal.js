// A page of a partner portal, as Relay wants it written.
graphql`
  query PortalQuery($deal: ID!) {
    viewer { id name partner { ...PortalPartner_partner } }
    node(id: $deal) { __typename id ...PortalDeal_deal @alias(as: "deal") }
  }
`;

graphql`
  fragment PortalPartner_partner on Partner @refetchable(queryName: "PortalPartnerRefetchQuery") {
    id
    displayName
    balance { accrued { amount currency } paid { amount currency } }
  }
`;

graphql`
  fragment PortalDeal_deal on Deal @refetchable(queryName: "PortalDealRefetchQuery") {
    id
    number
    value { amount currency }
    customer { id name }
    participants { role status partner { id displayName } }
  }
`;

graphql`
  mutation PortalRegisterMutation($input: DealRegistrationSubmitInput!, $key: String!) {
    dealRegistrationSubmit(input: $input) @idempotent(key: $key) {
      dealRegistration { id number status }
      userErrors { code message field ... on ConflictError { reasons } }
    }
  }
`;
